package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// Each of these needs a request that the server sends under its own account. test/management checks the replies.
var _ = Describe("Management", func() {
	It("creates, changes and deletes users", func(ctx SpecContext) {
		const user = "/api/admin/users/Managed.User"
		made := manage(ctx, http.MethodPost, "/api/admin/users", `{"username":"Managed.User"}`)
		expectAnswer(ctx, made["api_key"].(string), http.StatusOK)
		manage(ctx, http.MethodPost, user+"/rotate-key", "")
		manage(ctx, http.MethodPut, user+"/role", `{"role":"user"}`)
		manage(ctx, http.MethodPut, user+"/role", `{"role":"admin"}`)
		manage(ctx, http.MethodDelete, user, "")
		Eventually(ctx, func(g Gomega) {
			var events corev1.EventList
			g.Expect(s.Client.List(ctx, &events, client.InNamespace(stack.Namespace))).To(Succeed())
			var reasons []string
			for i := range events.Items {
				if events.Items[i].InvolvedObject.Name == "managed.user" {
					reasons = append(reasons, events.Items[i].Reason)
				}
			}
			g.Expect(reasons).To(ContainElements("Created", "Demoted", "Promoted", "Deleted"))
		}).WithTimeout(patience).Should(Succeed())
	})

	It("creates, changes and deletes keys, and records their last use", func(ctx SpecContext) {
		const keys = "/apiv1/accounts/managed/apikeys"
		made := manage(ctx, http.MethodPost, keys,
			`{"name":"managed","scopes":["certs.read"],"roles":[],"policy":{"permissions":[{"effect":"DENY","actions":["certs.write"],"resources":["*"]}]}}`)
		key := made["data"].(map[string]any)
		path := keys + "/" + key["id"].(string)
		expectAnswer(ctx, key["token"].(string), http.StatusOK)
		Eventually(ctx, func(g Gomega) {
			var list v1alpha1.APIKeyList
			g.Expect(s.Client.List(ctx, &list, client.MatchingFields{"spec.subject.name": "managed"})).To(Succeed())
			g.Expect(list.Items).To(HaveLen(1))
			g.Expect(list.Items[0].Status.Usage.LastUsedAt).NotTo(BeNil())
		}).WithTimeout(patience).Should(Succeed())
		manage(ctx, http.MethodPatch, path, `{"enabled":false}`)
		manage(ctx, http.MethodPost, path+"/rotate", "")
		manage(ctx, http.MethodDelete, path, "")
	})

	It("requests rotations of keys that a Secret delivers, in any namespace", func(ctx SpecContext) {
		const namespace = "managed-elsewhere"
		Expect(s.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
		k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "declared"}}
		k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "declared"}
		Expect(s.Client.Create(ctx, k)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
			g.Expect(k.Status.SecretName).NotTo(BeEmpty())
		}).WithTimeout(patience).Should(Succeed())
		before := kit.CurrentKey(k).ID
		rotated := manage(ctx, http.MethodPost, "/apiv1/accounts/declared/apikeys/"+string(k.UID)+"/rotate", "")
		Expect(rotated["data"]).NotTo(HaveKey("token"))
		Eventually(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
			g.Expect(kit.CurrentKey(k).ID).NotTo(Equal(before))
		}).WithTimeout(patience).Should(Succeed())
	})
})

// manage sends a request with the bootstrap key and expects success.
func manage(ctx context.Context, method, path, body string) (reply map[string]any) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, s.ServerURL+path, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Authorization", "Bearer "+s.BootstrapKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.StatusCode).To(BeNumerically("<", 300), "%s %s", method, path)
	Expect(json.Unmarshal(content, &reply)).To(Succeed())
	return reply
}
