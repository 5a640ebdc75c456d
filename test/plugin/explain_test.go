package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/internal/cli/console"
)

const minute = time.Minute

// call sends a request with a key to the server, and returns the status.
func call(ctx context.Context, key, method, path, body string) int {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, s.ServerURL+path, bytes.NewBufferString(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Keywright-Reason", "laptop lost")
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return response.StatusCode
}

// plaintext returns the key in a Secret.
func plaintext(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)).To(Succeed())
	return string(secret.Data["key"])
}

var _ = Describe("kubectl keywright explain-revoke with a server", func() {
	asAdmin := func() []string {
		return []string{"KEYWRIGHT_SERVER=" + s.ServerURL, "KEYWRIGHT_API_KEY=" + s.BootstrapKey}
	}

	It("reports the addresses, and what the audit trail has of the key and of its operations", func(ctx SpecContext) {
		namespace := namespaceOf(ctx, "ci")
		Expect(kubectl(ctx, nil, "keywright", "wait", "ci", "-n", namespace).code).To(Equal(0))
		key := plaintext(ctx, namespace, "ci-api-key")
		Expect(call(ctx, key, http.MethodGet, "/auth", "")).To(Equal(http.StatusOK))
		// What it may not do is on record, too.
		Expect(call(ctx, key, http.MethodPost, "/apiv1/accounts/plugin/apikeys", `{"name":"more"}`)).
			To(Equal(http.StatusForbidden))

		type explanation struct {
			Secrets []string
			Server  struct {
				Server              string
				Addresses           []string
				Changes, Operations []struct{ Actor, From, Action, Outcome string }
			}
		}
		Eventually(func(g Gomega) {
			got := kubectl(ctx, asAdmin(), "keywright", "explain-revoke", "ci", "-n", namespace, "-o", "json")
			g.Expect(got.code).To(Equal(0), got.stderr)
			var found explanation
			g.Expect(json.Unmarshal([]byte(got.stdout), &found)).To(Succeed(), got.stdout)
			g.Expect(found.Secrets).To(ConsistOf("ci-api-key"))
			g.Expect(found.Server.Server).To(Equal(s.ServerURL))
			g.Expect(found.Server.Addresses).To(ConsistOf("127.0.0.1"))
			g.Expect(found.Server.Changes).To(BeEmpty())
			g.Expect(found.Server.Operations).To(HaveLen(1))
			g.Expect(got.stdout + got.stderr).NotTo(ContainSubstring(key))
		}).WithContext(ctx).WithTimeout(minute).Should(Succeed())

		got := kubectl(ctx, asAdmin(), "keywright", "explain-revoke", "ci", "-n", namespace)
		Expect(got.stdout).To(ContainSubstring("Addresses on record: 127.0.0.1\nChanges of the key: none on record\n" +
			"Operations with the key, newest first:\n"))
		Expect(got.stdout).To(MatchRegexp(
			`\n  \S+Z Account/plugin from 127\.0\.0\.1: key\.create Account/plugin, refused \(laptop lost\)\n`))
		Expect(got.stdout).NotTo(ContainSubstring(key))
	})

	It("reports changes of an AdminUser", func(ctx SpecContext) {
		apply(ctx, "apiVersion: keywright.dev/v1alpha1\nkind: AdminUser\n"+
			"metadata: {name: explained, namespace: keywright-system}\n")
		Expect(kubectl(ctx, nil, "keywright", "wait", "adminuser/explained").code).To(Equal(0))
		Expect(call(ctx, s.BootstrapKey, http.MethodPost, "/api/admin/users/explained/rotate-key", "")).
			To(Equal(http.StatusOK))
		Eventually(func(g Gomega) {
			got := kubectl(ctx, asAdmin(), "keywright", "explain-revoke", "adminuser/explained")
			g.Expect(got.stdout).To(MatchRegexp(`\n  \S+Z User/admin from 127\.0\.0\.1: user\.rotate User/explained, done `))
			g.Expect(got.stdout).To(ContainSubstring("To stop it: kubectl keywright disable adminuser/explained\n"))
		}).WithContext(ctx).WithTimeout(minute).Should(Succeed())
	})

	DescribeTable("reports the rest, and what went wrong", func(ctx SpecContext, message string, variables ...string) {
		namespace := namespaceOf(ctx, "ci")
		got := kubectl(ctx, append(asAdmin(), variables...), "keywright", "explain-revoke", "ci", "-n", namespace)
		Expect(got.code).To(Equal(console.ExitFailed))
		Expect(got.stdout).To(ContainSubstring("To revoke it: kubectl keywright revoke ci -n " + namespace))
		Expect(got.stdout).NotTo(ContainSubstring("Addresses"))
		Expect(got.stderr).To(MatchRegexp("^Error: the server http://127.0.0.1:[0-9]+: " + message))
	},
		Entry("with a key that the server refuses", "HTTP 401: ", "KEYWRIGHT_API_KEY=wrong"),
		Entry("with a server that does not answer", "no reply from ", "KEYWRIGHT_SERVER=http://127.0.0.1:1"),
	)

	It("reports a server that does not know the object", func(ctx SpecContext) {
		namespace := namespaceOf(ctx, "ci")
		answer := replying(http.StatusNotFound, `{"error":{"code":4001,"what":"API key not found"}}`)
		got := kubectl(ctx, append(asAdmin(), "KEYWRIGHT_SERVER="+answer),
			"keywright", "explain-revoke", "ci", "-n", namespace)
		Expect(got.code).To(Equal(console.ExitFailed))
		Expect(got.stderr).To(ContainSubstring("it does not show APIKey " + namespace + "/ci: it belongs to another cluster"))
	})

	It("names the way to addresses without a server, and refuses an unknown profile", func(ctx SpecContext) {
		namespace := namespaceOf(ctx, "ci")
		home := []string{"HOME=" + GinkgoT().TempDir(), "XDG_CONFIG_HOME=", "KEYWRIGHT_SERVER="}
		got := kubectl(ctx, home, "keywright", "explain-revoke", "ci", "-n", namespace)
		Expect(got.code).To(Equal(0), got.stderr)
		Expect(got.stdout).To(ContainSubstring("not known without a server (--keywright-server, or $KEYWRIGHT_SERVER)"))
		got = kubectl(ctx, home, "keywright", "explain-revoke", "ci", "-n", namespace, "--keywright-server", "prod")
		Expect(got.code).To(Equal(console.ExitUsage))
		Expect(got.stderr).To(ContainSubstring(`no profile "prod"`))
	})
})
