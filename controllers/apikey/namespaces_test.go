package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/operator/endingnamespace"
)

var _ = Describe("A namespace that is being deleted", func() {
	It("gets no Secret, and no error is returned for the log", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Create(ctx, "ci")
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}
		Expect(e.Plane.Client.Delete(ctx, namespace)).To(Succeed())
		request := reconcile.Request{NamespacedName: e.Key("ci")}
		_, err := e.NewReconciler().Reconcile(ctx, request)
		Expect(apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)).To(BeTrue(), "got %v", err)
		result, err := endingnamespace.Quiet(e.NewReconciler()).Reconcile(ctx, request)
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically(">=", time.Minute))
	})
})

var _ = Describe("Equal names in several namespaces", func() {
	It("do not disturb each other", func(ctx SpecContext) {
		here, there := newEnv(ctx), newEnv(ctx)
		here.Apply(ctx, "ci")
		there.Apply(ctx, "ci")
		key, secret := there.Get(ctx, "ci"), there.Secret(ctx, "ci-api-key")
		Expect(there.Plaintext(ctx, "ci-api-key")).NotTo(Equal(here.Plaintext(ctx, "ci-api-key")))

		here.Change(ctx, "ci", rotate("1"))
		here.Change(ctx, "ci", withSecret(func(s *v1alpha1.APIKeySecret) { s.Name = "another" }))
		here.Change(ctx, "ci", revoked)
		here.Remove(ctx, "ci")
		there.Reconcile(ctx, "ci")
		Expect(there.Get(ctx, "ci").ResourceVersion).To(Equal(key.ResourceVersion))
		Expect(there.Secret(ctx, "ci-api-key").ResourceVersion).To(Equal(secret.ResourceVersion))
	})

	It("do not make a Secret of another namespace an orphan", func(ctx SpecContext) {
		here, there := newEnv(ctx), newEnv(ctx)
		there.Apply(ctx, "ci")
		secret := there.Secret(ctx, "ci-api-key")
		here.Reconcile(ctx, "ci")
		Expect(there.Secret(ctx, "ci-api-key").ResourceVersion).To(Equal(secret.ResourceVersion))
	})

	It("speak for the same user", func(ctx SpecContext) {
		here, there := newEnv(ctx), newEnv(ctx)
		there.System = here.System
		adminUser(ctx, here.System, "carol", v1alpha1.StateDisabled)
		expectConditions(here.Apply(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
		expectConditions(there.Apply(ctx, "ci", speakingAs("carol")), "True/Issued", "False/OwnerDisabled")
	})
})
