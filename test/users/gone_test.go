package users

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// newKey creates a key of a user, or rotates the one with this id, through the API.
func newKey(ctx context.Context, user, rotated string) (id, plaintext string) {
	GinkgoHelper()
	path, body := "/apiv1/users/"+user+"/apikeys", `{"name":"of `+user+`"}`
	if rotated != "" {
		path, body = path+"/"+rotated+"/rotate", ""
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.ServerURL+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	r.Header.Set("Authorization", "Bearer "+s.BootstrapKey)
	response, err := http.DefaultClient.Do(r)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	var reply struct{ Data struct{ ID, Token string } }
	Expect(json.Unmarshal(content, &reply)).To(Succeed(), string(content))
	Expect(reply.Data.Token).NotTo(BeEmpty(), string(content))
	return reply.Data.ID, reply.Data.Token
}

// apiKey returns an APIKey by its id, or by its name in namespace default.
func apiKey(ctx context.Context, id string) *v1alpha1.APIKey {
	GinkgoHelper()
	var list v1alpha1.APIKeyList
	Expect(s.Client.List(ctx, &list)).To(Succeed())
	for i := range list.Items {
		if k := &list.Items[i]; string(k.UID) == id || k.Namespace == metav1.NamespaceDefault && k.Name == id {
			return k
		}
	}
	Fail("APIKey " + id + " is missing")
	return nil
}

// applied applies an APIKey of a user in namespace default, and returns its plaintext.
func applied(ctx context.Context, name, user string) string {
	GinkgoHelper()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name}}
	k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: user}
	Expect(s.Client.Create(ctx, k)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(s.Client.Delete(ctx, k)).To(Succeed()) })
	becomes(ctx, name, v1alpha1.ReasonAccepted)
	return plaintextOf(ctx, name)
}

func plaintextOf(ctx context.Context, name string) string {
	GinkgoHelper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: metav1.NamespaceDefault, Name: name + "-api-key"}
	Expect(s.Client.Get(ctx, key, secret)).To(Succeed())
	return string(secret.Data["key"])
}

// becomes waits until condition Active of an APIKey has a reason.
func becomes(ctx context.Context, id, reason string) {
	GinkgoHelper()
	soon(ctx, func() string {
		active := meta.FindStatusCondition(apiKey(ctx, id).Status.Conditions, v1alpha1.ConditionActive)
		if active == nil {
			return ""
		}
		return active.Reason
	}).Should(Equal(reason))
}

// answers waits until the server answers a key with this status.
func answers(ctx context.Context, key string, status int) {
	GinkgoHelper()
	soon(ctx, func() int { return statusOf(ctx, key) }).Should(Equal(status))
}

var _ = Describe("A user who is gone", func() {
	BeforeEach(func(ctx SpecContext) {
		status, reply := ask(ctx, s.BootstrapKey, "POST", "admin/users", `{"username":"bystander"}`)
		Expect(status).To(BeElementOf(http.StatusOK, http.StatusConflict), "%v", reply)
	})

	It("leaves no key that works, also for the next user of the name", func(ctx SpecContext) {
		create(ctx, "leaver")
		id, byAPI := newKey(ctx, "leaver", "")
		Expect(apiKey(ctx, id).Status.Owner.ID).To(Equal(string(get(ctx, "leaver").UID)))
		inSecret := applied(ctx, "of-leaver", "Leaver")
		Expect(apiKey(ctx, "of-leaver").Status.Owner.ID).To(Equal(string(get(ctx, "leaver").UID)))
		answers(ctx, inSecret, http.StatusOK)
		Expect(s.Client.Delete(ctx, get(ctx, "leaver"))).To(Succeed())
		for _, key := range []string{byAPI, inSecret} {
			answers(ctx, key, http.StatusUnauthorized)
		}
		create(ctx, "leaver")
		becomes(ctx, id, v1alpha1.ReasonOwnerGone)
		becomes(ctx, "of-leaver", v1alpha1.ReasonOwnerGone)
		for _, key := range []string{byAPI, inSecret} {
			Expect(statusOf(ctx, key)).To(Equal(http.StatusUnauthorized))
		}

		_, next := newKey(ctx, "leaver", id)
		Expect(statusOf(ctx, next)).To(Equal(http.StatusOK))
		becomes(ctx, id, v1alpha1.ReasonAccepted)
		_, err := s.Kubectl(ctx, "annotate", "apikey", "of-leaver", "-n", "default", "keywright.dev/rotate=now")
		Expect(err).NotTo(HaveOccurred())
		becomes(ctx, "of-leaver", v1alpha1.ReasonAccepted)
		answers(ctx, plaintextOf(ctx, "of-leaver"), http.StatusOK)
		for _, key := range []string{byAPI, inSecret} {
			Expect(statusOf(ctx, key)).To(Equal(http.StatusUnauthorized))
		}
		Expect(apiKey(ctx, "of-leaver").Status.Owner.ID).To(Equal(string(get(ctx, "leaver").UID)))
	}, SpecTimeout(2*time.Minute))

	It("leaves none without an operator either, and the reply counts them", Serial, func(ctx SpecContext) {
		Expect(s.Operator.Stop()).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Operator.Start(ctx)).To(Succeed()) })
		create(ctx, "quitter")
		_, key := newKey(ctx, "quitter", "")
		done(ctx, "PATCH", "admin/users/quitter", `{"enabled":false}`)
		Expect(statusOf(ctx, key)).To(Equal(http.StatusUnauthorized))
		Expect(done(ctx, "DELETE", "admin/users/quitter", "")).To(HaveKeyWithValue("api_keys", BeNumerically("==", 1)))
		create(ctx, "quitter")
		Expect(statusOf(ctx, key)).To(Equal(http.StatusUnauthorized))
	})

	It("is the same user after a restore with the status, and after a demotion", func(ctx SpecContext) {
		create(ctx, "returner")
		_, key := newKey(ctx, "returner", "")
		user := rests(ctx, "returner")
		done(ctx, "PUT", "admin/users/returner/role", `{"role":"user"}`)
		Expect(statusOf(ctx, key)).To(Equal(http.StatusOK))
		Expect(s.Client.Delete(ctx, get(ctx, "returner"))).To(Succeed())
		answers(ctx, key, http.StatusUnauthorized)

		restored := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: "returner"}}
		restored.Spec = user.Spec
		Expect(s.Client.Create(ctx, restored)).To(Succeed())
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"status":{"id":"`+user.Status.ID+`"}}`))
		Expect(s.Client.Status().Patch(ctx, restored, patch)).To(Succeed())
		answers(ctx, key, http.StatusOK)
	})
})
