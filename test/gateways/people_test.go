package gateways

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/stack"
)

// keyring holds the plaintexts of the suite's keys by name.
type keyring struct {
	sync.Mutex
	of map[string]string
}

var keys = keyring{of: map[string]string{}}

func (k *keyring) put(who, plaintext string) {
	k.Lock()
	defer k.Unlock()
	k.of[who] = plaintext
}

func (k *keyring) get(who string) string {
	k.Lock()
	defer k.Unlock()
	return k.of[who]
}

func (k *keyring) all() []string {
	k.Lock()
	defer k.Unlock()
	return slices.Collect(maps.Values(k.of))
}

// unknownKey is well-formed but belongs to no object.
const unknownKey = "a-key-of-no-object-0123456789"

// issueKeys creates keys of alice, an admin; of ci, a program on the allow list; and of reader, which is not on it.
func issueKeys(ctx context.Context) {
	GinkgoHelper()
	keys.put("unknown", unknownKey)
	alice := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "alice"}}
	Expect(s.Client.Create(ctx, alice)).To(Succeed())
	keys.put("alice", delivered(ctx, stack.Namespace, "alice-admin-key"))
	issue(ctx, "ci", "certs.read", "certs.write")
	issue(ctx, "reader", "certs.read")
}

// issue creates the key of an account and returns its object.
func issue(ctx context.Context, name string, scopes ...v1alpha1.Scope) *v1alpha1.APIKey {
	GinkgoHelper()
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name},
		Spec: v1alpha1.APIKeySpec{
			Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}, Scopes: scopes,
		}}
	Expect(s.Client.Create(ctx, key)).To(Succeed())
	keys.put(name, delivered(ctx, key.Namespace, name+"-api-key"))
	return key
}

// issueUnused creates the key of an account, and does not use it to find out whether the server accepts it.
func issueUnused(ctx context.Context, name string) {
	GinkgoHelper()
	key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name},
		Spec: v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}}}
	Expect(s.Client.Create(ctx, key)).To(Succeed())
	keys.put(name, secretOf(ctx, key.Namespace, name+"-api-key"))
}

// delivered waits for the key in a Secret, and until the server accepts it.
func delivered(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	plaintext := secretOf(ctx, namespace, name)
	Eventually(ctx, ask(ctx, "GET", "/", bearer(plaintext))).ShouldNot(Equal(http.StatusUnauthorized))
	return plaintext
}

// secretOf waits for the key in a Secret.
func secretOf(ctx context.Context, namespace, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Eventually(ctx, func() error {
		return s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
	}).Should(Succeed())
	return string(secret.Data[v1alpha1.SecretKey])
}

func bearer(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }

// ask returns the status of the server's reply to a gateway's question about method and target, or 0 without a reply.
func ask(ctx context.Context, method, target string, header http.Header) func() int {
	return func() int {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/auth", http.NoBody)
		Expect(err).NotTo(HaveOccurred())
		request.Header = header.Clone()
		request.Header.Set("X-Forwarded-Method", method)
		request.Header.Set("X-Forwarded-Uri", target)
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0
		}
		_ = reply.Body.Close()
		return reply.StatusCode
	}
}

// settings returns the suite's configuration, beside the stack's bootstrap key. It has the public routes of the page.
func settings() map[string]string {
	return map[string]string{"ALLOWED_USERS": "dora, ACCOUNT/CI", "ROUTES": page.with("public.yaml", nil) + guarded}
}

// guarded are the routes that need a caller.
const guarded = `
- match: GET /certificates/{name}
  action: certs.read
- match: POST /certificates/{name}
  action: certs.write
- match: GET /devices/{id}
  action: devices.read
`

// configure writes the suite's settings and more, and returns when the server runs them.
func configure(ctx context.Context, more map[string]string) {
	GinkgoHelper()
	configureFor(ctx, more, bearer)
}

// configureFor is configure for settings with which keys count in another form.
func configureFor(ctx context.Context, more map[string]string, present func(key string) http.Header) {
	GinkgoHelper()
	var data map[string]string
	Expect(s.EditConfiguration(ctx, func(present map[string]string) map[string]string {
		data = map[string]string{"ADMIN_KEY_SECRET": present["ADMIN_KEY_SECRET"]}
		maps.Copy(data, settings())
		maps.Copy(data, more)
		return data
	})).To(Succeed())
	Eventually(ctx, runs(ctx, data)).Should(BeTrue(), "the server runs it")
	Eventually(ctx, ask(ctx, "POST", "/", present(keys.get("reader")))).Should(Equal(http.StatusForbidden))
	Eventually(ctx, ask(ctx, "GET", "/devices/1", present(keys.get("ci")))).Should(Equal(http.StatusForbidden))
	Eventually(ctx, ask(ctx, "GET", "/", http.Header{"X-Forwarded-User": {"dora"}})).Should(Equal(trustedName(more)))
}

// runs reports whether the server runs a configuration.
func runs(ctx context.Context, data map[string]string) func(Gomega) bool {
	return func(g Gomega) bool {
		published := &corev1.ConfigMap{}
		g.Expect(s.Client.Get(
			ctx, client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime}, published,
		)).To(Succeed())
		document := published.Data[config.RuntimeKey]
		runtime, err := config.ParseRuntime(document)
		g.Expect(err).NotTo(HaveOccurred())
		wanted, faults := config.Parse(data)
		g.Expect(faults).To(BeEmpty())
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ServerURL+"/readyz?verbose", http.NoBody)
		g.Expect(err).NotTo(HaveOccurred())
		reply, err := http.DefaultClient.Do(request)
		g.Expect(err).NotTo(HaveOccurred())
		defer reply.Body.Close()
		status, err := io.ReadAll(reply.Body)
		g.Expect(err).NotTo(HaveOccurred())
		return document == wanted.Runtime(runtime.BootstrapDigest).Encode() &&
			strings.Contains(string(status), "revision "+config.Revision(document))
	}
}

// trustedName returns the status for a user whom only a trusted proxy names.
func trustedName(settings map[string]string) int {
	if settings["TRUST_PROXY_HEADERS"] == "true" {
		return http.StatusOK
	}
	return http.StatusUnauthorized
}
