package installation

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// patience is long enough for a busy machine.
const patience = 30 * time.Second

// Operator and server run with the rights and under the policies of that installation, on a control plane of their own:
// they would act on the objects of the other specs.
var _ = Describe("The programs in another namespace", Ordered, func() {
	var s *stack.Stack

	BeforeAll(func(ctx SpecContext) {
		s = kit.Stack(ctx, stack.Options{
			Namespace: system, Policies: []string{fromPage(ctx, "my-keywright")}, Audit: true,
		})
		Expect(s.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}})).To(Succeed())
	}, NodeTimeout(5*time.Minute))

	ask := func(ctx context.Context, method, path, plaintext, body string) (int, string) {
		GinkgoHelper()
		request, err := http.NewRequestWithContext(ctx, method, s.ServerURL+path, strings.NewReader(body))
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Authorization", "Bearer "+plaintext)
		request.Header.Set("Content-Type", "application/json")
		reply, err := http.DefaultClient.Do(request)
		Expect(err).NotTo(HaveOccurred())
		defer reply.Body.Close()
		text, err := io.ReadAll(reply.Body)
		Expect(err).NotTo(HaveOccurred())
		return reply.StatusCode, string(text)
	}
	accepted := func(ctx context.Context, namespace, secretName string) {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Eventually(ctx, func() error {
			return s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: secretName}, secret)
		}).WithTimeout(patience).Should(Succeed())
		Eventually(ctx, func() int {
			code, _ := ask(ctx, http.MethodGet, "/auth", string(secret.Data[v1alpha1.SecretKey]), "")
			return code
		}).WithTimeout(patience).Should(Equal(http.StatusOK))
	}

	It("issue and accept the key of an AdminUser there", func(ctx SpecContext) {
		alice := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "alice"}}
		Expect(s.Client.Create(ctx, alice)).To(Succeed())
		accepted(ctx, system, "alice-admin-key")
	})

	It("issue and accept the key of an APIKey elsewhere", func(ctx SpecContext) {
		key := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "ci"}}
		key.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
		Expect(s.Client.Create(ctx, key)).To(Succeed())
		accepted(ctx, team, "ci-api-key")
	})

	It("create keys there through the API", func(ctx SpecContext) {
		code, text := ask(ctx, http.MethodPost, "/apiv1/accounts/build/apikeys", s.BootstrapKey, `{"name":"build"}`)
		Expect(code).To(Equal(http.StatusCreated), text)
		var keys v1alpha1.APIKeyList
		Expect(s.Client.List(ctx, &keys, client.InNamespace(system),
			client.MatchingLabels{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI})).To(Succeed())
		Expect(keys.Items).To(HaveLen(1))
		Expect(keys.Items[0].Status.Keys).To(HaveLen(1))
	})

	It("need no other rights", func() {
		requests, err := s.Requests()
		Expect(err).NotTo(HaveOccurred())
		Expect(requests).NotTo(BeEmpty())
		Expect(kit.RefusedRequests(requests)).To(BeEmpty())
	})
})
