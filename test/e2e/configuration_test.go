package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/stack"
)

// plain is the configuration before and after every spec.
var plain = map[string]string{"ADMIN_KEY_SECRET": "keywright-bootstrap/key"}

// configure adds settings to the plain ones and waits until the server runs them.
func configure(ctx context.Context, data map[string]string) {
	GinkgoHelper()
	edit := maps.Clone(plain)
	maps.Copy(edit, data)
	before := running(ctx)
	write(ctx, edit)
	awaitRunning(ctx, Not(Equal(before)))
}

// write replaces the content of keywright-config.
func write(ctx context.Context, data map[string]string) {
	GinkgoHelper()
	Expect(s.Settings(ctx, data)).To(Succeed())
}

// running returns the revision that the server reports.
func running(ctx context.Context) string {
	GinkgoHelper()
	status := fetch(ctx, s.ServerURL+"/readyz?verbose")
	_, rest, found := strings.Cut(string(status), "[+] configuration: ok, revision ")
	Expect(found).To(BeTrue(), "%s", status)
	return rest[:12]
}

// published returns the published configuration without the former bootstrap keys, and its revision. A bootstrap key
// that a spec replaced stays among the former ones.
func published(ctx context.Context) (settings config.Runtime, revision string) {
	GinkgoHelper()
	document := &corev1.ConfigMap{}
	key := client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime}
	Expect(s.Client.Get(ctx, key, document)).To(Succeed())
	settings, err := config.ParseRuntime(document.Data[config.RuntimeKey])
	Expect(err).NotTo(HaveOccurred())
	settings.FormerBootstrapDigests = nil
	return settings, config.Revision(document.Data[config.RuntimeKey])
}

func awaitRunning(ctx context.Context, revision OmegaMatcher) {
	GinkgoHelper()
	Eventually(ctx, func() string { return running(ctx) }).WithTimeout(patience).Should(revision)
}

// request is a request that a gateway asks about.
type request struct {
	method, uri string
	header      http.Header
}

// through sends a request with a key through the gate. Key "" means none.
func through(ctx context.Context, plaintext string, r request) (status int, body string) {
	GinkgoHelper()
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", nil)
	Expect(err).NotTo(HaveOccurred())
	maps.Copy(asked.Header, r.header)
	asked.Header.Set("X-Forwarded-Method", r.method)
	asked.Header.Set("X-Forwarded-Uri", r.uri)
	if plaintext != "" {
		asked.Header.Set("Authorization", "Bearer "+plaintext)
	}
	reply, err := http.DefaultClient.Do(asked)
	Expect(err).NotTo(HaveOccurred())
	defer reply.Body.Close()
	content, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	return reply.StatusCode, string(content)
}

func expectThrough(ctx context.Context, plaintext string, r request, status int) {
	GinkgoHelper()
	got, body := through(ctx, plaintext, r)
	Expect(got).To(Equal(status), "%s %s: %s", r.method, r.uri, body)
}

// keyOf creates an APIKey and returns its key.
func keyOf(ctx context.Context, name string, change func(*v1alpha1.APIKey)) string {
	GinkgoHelper()
	k := newAPIKey(ctx, name, change)
	DeferCleanup(func(ctx SpecContext) { removeAPIKey(ctx, k) })
	plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
	expectAnswer(ctx, plaintext, http.StatusOK)
	return plaintext
}

func speaksAs(kind v1alpha1.SubjectKind, name string, scopes ...v1alpha1.Scope) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		k.Spec.Subject, k.Spec.Scopes = v1alpha1.Subject{Kind: kind, Name: name}, scopes
	}
}

// configEvents returns the events about keywright-config.
func configEvents(ctx context.Context, reason string) (notes []string) {
	GinkgoHelper()
	var events eventsv1.EventList
	Expect(s.Client.List(ctx, &events, client.InNamespace(stack.Namespace))).To(Succeed())
	for i := range events.Items {
		if e := &events.Items[i]; e.Regarding.Name == v1alpha1.ConfigMapConfig && e.Reason == reason {
			notes = append(notes, e.Note)
		}
	}
	return notes
}

var _ = Describe("The configuration", Serial, func() {
	BeforeEach(func(ctx SpecContext) {
		before, _ := published(ctx)
		DeferCleanup(func(ctx SpecContext) {
			write(ctx, plain)
			Eventually(ctx, func() config.Runtime {
				now, _ := published(ctx)
				return now
			}).WithTimeout(patience).Should(Equal(before))
			_, revision := published(ctx)
			awaitRunning(ctx, Equal(revision))
		})
	})

	It("has an allow list for writes", func(ctx SpecContext) {
		listed := keyOf(ctx, "listed", speaksAs(v1alpha1.SubjectUser, "Lena"))
		other := keyOf(ctx, "not-listed", speaksAs(v1alpha1.SubjectUser, "oskar"))
		admin := issued(ctx, "grace")
		expectAnswer(ctx, admin, http.StatusOK)
		post, get := request{method: "POST", uri: "/orders"}, request{method: "GET", uri: "/orders"}
		expectThrough(ctx, other, post, http.StatusOK)

		configure(ctx, map[string]string{"ALLOWED_USERS": " lena , someone "})
		for _, passes := range []string{listed, admin, s.BootstrapKey} {
			expectThrough(ctx, passes, post, http.StatusOK)
		}
		expectThrough(ctx, other, get, http.StatusOK)
		status, body := through(ctx, other, post)
		Expect(status).To(Equal(http.StatusForbidden))
		Expect(body).To(ContainSubstring("User not allowed. Contact an administrator to be added to the allow list."))
		remove(ctx, "grace")
	})

	It("has routes", func(ctx SpecContext) {
		reader := keyOf(ctx, "route-reader", speaksAs(v1alpha1.SubjectAccount, "reader", "certs.read"))
		idle := keyOf(ctx, "route-idle", speaksAs(v1alpha1.SubjectAccount, "idle"))
		configure(ctx, map[string]string{"ROUTES": "- {match: 'GET /users/{user}/certificates', action: certs.read}\n" +
			"- {match: '/users/{user}/', owner: '{user}'}"})
		certificates := request{method: "GET", uri: "/users/lena/certificates?page=2"}
		expectThrough(ctx, reader, certificates, http.StatusOK)
		expectThrough(ctx, idle, certificates, http.StatusForbidden)
		expectThrough(ctx, reader, request{method: "GET", uri: "/users/lena/profile"}, http.StatusForbidden)
		expectThrough(ctx, s.BootstrapKey, request{method: "GET", uri: "/users/lena/profile"}, http.StatusOK)
		expectThrough(ctx, idle, request{method: "GET", uri: "/elsewhere"}, http.StatusOK)

		configure(ctx, map[string]string{"ROUTES": "- {match: /elsewhere}", "UNMATCHED": "deny"})
		expectThrough(ctx, idle, request{method: "GET", uri: "/elsewhere"}, http.StatusOK)
		expectThrough(ctx, s.BootstrapKey, certificates, http.StatusForbidden)
	})

	It("selects whose names are trusted", func(ctx SpecContext) {
		read := func(name, value string) request {
			return request{method: "GET", uri: "/", header: http.Header{name: {value}}}
		}
		proxied, saved := read("X-Forwarded-User", "lena"), read("Cookie", "keywright_user=lena")
		expectThrough(ctx, "", proxied, http.StatusUnauthorized)
		expectThrough(ctx, "", saved, http.StatusUnauthorized)
		configure(ctx, map[string]string{"TRUST_PROXY_HEADERS": "true"})
		expectThrough(ctx, "", proxied, http.StatusOK)
		expectThrough(ctx, "", read("X-Forwarded-User", "Admin"), http.StatusUnauthorized)
		expectThrough(ctx, "no-such-key-anywhere", proxied, http.StatusUnauthorized)
		configure(ctx, map[string]string{"TRUST_USERNAMES": "true"})
		expectThrough(ctx, "", saved, http.StatusOK)
		configure(ctx, map[string]string{"ANONYMOUS_READS": "true"})
		expectThrough(ctx, "", request{method: "GET", uri: "/"}, http.StatusOK)
		expectThrough(ctx, "", request{method: "POST", uri: "/"}, http.StatusUnauthorized)
	})

	It("sets the prefix of generated keys, and keys with another prefix still work", func(ctx SpecContext) {
		before := issued(ctx, "heidi")
		configure(ctx, map[string]string{"KEY_PREFIX": "kw7_"})
		after := issued(ctx, "ivan")
		Expect(before[:3] + after[:4]).To(Equal("ak_kw7_"))
		for _, plaintext := range []string{before, after} {
			expectAnswer(ctx, plaintext, http.StatusOK)
		}
		remove(ctx, "heidi")
		remove(ctx, "ivan")
	})

	It("is reported by an event with the changes and no secret", func(ctx SpecContext) {
		const secret = "a-bootstrap-key-of-this-spec"
		configure(ctx, map[string]string{"ADMIN_KEY_SECRET": "", "ADMIN_KEY": secret, "ALLOWED_USERS": "lena,oskar"})
		revision := running(ctx)
		Eventually(ctx, func() []string { return configEvents(ctx, v1alpha1.EventConfigApplied) }).WithTimeout(patience).
			Should(ContainElement(
				SatisfyAll(ContainSubstring("ALLOWED_USERS"), ContainSubstring("the bootstrap key"), ContainSubstring(revision)),
			))
		for _, reason := range []string{v1alpha1.EventConfigApplied, v1alpha1.EventPlaintextKey} {
			Expect(strings.Join(configEvents(ctx, reason), "\n")).NotTo(ContainSubstring(secret))
		}
	})

	It("stays in force after an invalid edit, which an event reports by setting and fault", func(ctx SpecContext) {
		configure(ctx, map[string]string{"ALLOWED_USERS": "lena"})
		before := running(ctx)
		write(ctx, map[string]string{
			"ADMIN_KEY_SECRET": "keywright-bootstrap/key", "SECURE_COOKIES": "perhaps",
			"ROUTES": "- {match: '/a/{x}/b'}\n- {match: '/a/b/{x}'}",
		})
		Eventually(ctx, func() []string { return configEvents(ctx, v1alpha1.EventConfigInvalid) }).WithTimeout(patience).
			Should(ContainElement(
				SatisfyAll(ContainSubstring("SECURE_COOKIES: "), ContainSubstring("ROUTES: "), ContainSubstring("/a/{x}/b"),
					ContainSubstring("/a/b/{x}")),
			))
		Expect(running(ctx)).To(Equal(before))
		expectAnswer(ctx, s.BootstrapKey, http.StatusOK)
	})

	It("is reported by each server: its revision in /readyz?verbose and in a metric", func(ctx SpecContext) {
		configure(ctx, map[string]string{"ALLOWED_USERS": "lena"})
		runtime := &corev1.ConfigMap{}
		Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime}, runtime)).
			To(Succeed())
		revision := config.Revision(runtime.Data[config.RuntimeKey])
		Expect(running(ctx)).To(Equal(revision))
		Expect(string(fetch(ctx, s.ServerMetricsURL))).
			To(ContainSubstring(fmt.Sprintf("keywright_configuration_since_seconds{revision=%q} ", revision)))
	})
})
