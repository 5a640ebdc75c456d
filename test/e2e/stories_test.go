package e2e

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/stack"
)

// tenant is a namespace with APIKeys.
const tenant = "default"

// newAPIKey creates the APIKey of an account without rights.
func newAPIKey(ctx context.Context, name string, change ...func(*v1alpha1.APIKey)) *v1alpha1.APIKey {
	GinkgoHelper()
	k := &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: name},
		Spec:       v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: name}},
	}
	for _, c := range change {
		c(k)
	}
	Expect(s.Client.Create(ctx, k)).To(Succeed())
	return k
}

// awaitReady returns the plaintext in an APIKey's Secret once the APIKey is Ready for this reason.
func awaitReady(ctx context.Context, k *v1alpha1.APIKey, reason string) string {
	GinkgoHelper()
	awaitAPIKey(ctx, k, v1alpha1.ConditionReady, reason)
	secret := &corev1.Secret{}
	Expect(s.Client.Get(ctx, client.ObjectKey{Namespace: k.Namespace, Name: k.EffectiveSecretName()}, secret)).
		To(Succeed())
	return string(secret.Data[v1alpha1.SecretKey])
}

func awaitAPIKey(ctx context.Context, k *v1alpha1.APIKey, condition, reason string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
		got := meta.FindStatusCondition(k.Status.Conditions, condition)
		g.Expect(got).NotTo(BeNil())
		g.Expect(got.Reason).To(Equal(reason), got.Message)
		g.Expect(got.ObservedGeneration).To(Equal(k.Generation))
	}).WithTimeout(patience).Should(Succeed())
}

func annotate(ctx context.Context, o client.Object, name, value string) {
	GinkgoHelper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"`+name+`":"`+value+`"}}}`))
	Expect(s.Client.Patch(ctx, o, patch)).To(Succeed())
}

// removeAPIKey deletes an APIKey and waits until it is gone.
func removeAPIKey(ctx context.Context, k *v1alpha1.APIKey) {
	GinkgoHelper()
	Expect(client.IgnoreNotFound(s.Client.Delete(ctx, k))).To(Succeed())
	Eventually(ctx, func() bool {
		return apierrors.IsNotFound(s.Client.Get(ctx, client.ObjectKeyFromObject(k), &v1alpha1.APIKey{}))
	}).WithTimeout(patience).Should(BeTrue())
}

var _ = Describe("An API key", func() {
	It("that is deleted is refused, and its Secret is deleted too", func(ctx SpecContext) {
		k := newAPIKey(ctx, "passing")
		plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		expectAnswer(ctx, plaintext, http.StatusOK)
		removeAPIKey(ctx, k)
		expectAnswer(ctx, plaintext, http.StatusUnauthorized)
		awaitNoSecret(ctx, client.ObjectKey{Namespace: k.Namespace, Name: k.EffectiveSecretName()})
	})

	It("whose Secret is annotated for adoption still works under the next APIKey", func(ctx SpecContext) {
		k := newAPIKey(ctx, "heirloom")
		plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		expectAnswer(ctx, plaintext, http.StatusOK)

		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.Namespace, Name: k.EffectiveSecretName()}}
		annotate(ctx, secret, v1alpha1.AnnotationAdopt, "true")
		Eventually(ctx, func(g Gomega) {
			g.Expect(s.Client.Get(ctx, client.ObjectKeyFromObject(k), k)).To(Succeed())
			g.Expect(k.Finalizers).To(ContainElement(v1alpha1.FinalizerKeepSecret))
		}).WithTimeout(patience).Should(Succeed())
		removeAPIKey(ctx, k)
		expectAnswer(ctx, plaintext, http.StatusUnauthorized)

		k = newAPIKey(ctx, "heirloom")
		Expect(awaitReady(ctx, k, v1alpha1.ReasonIssued)).To(Equal(plaintext))
		expectAnswer(ctx, plaintext, http.StatusOK)
		removeAPIKey(ctx, k)
	})
})

var _ = Describe("The last admin", func() {
	It("remains when all are deleted without an operator, and is deleted when there is another", Serial,
		func(ctx SpecContext) {
			plaintext := issued(ctx, "grace")
			expectAnswer(ctx, plaintext, http.StatusOK)
			awaitNoMark(ctx)
			Expect(s.Operator.Stop()).To(Succeed())
			DeferCleanup(s.Operator.Restart)
			Expect(s.Client.DeleteAllOf(ctx, &v1alpha1.AdminUser{}, client.InNamespace(stack.Namespace))).To(Succeed())
			Expect(s.Operator.Start(ctx)).To(Succeed())

			kept := awaitKept(ctx)
			Expect(kept.DeletionTimestamp).NotTo(BeNil())
			expectAnswer(ctx, key(ctx, kept.Name), http.StatusOK)
			issued(ctx, "heir")
			issuedAgain(ctx, keeper)
			remove(ctx, "heir")
		})
})

// awaitNoMark waits until no AdminUser has condition LastAdmin.
func awaitNoMark(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var users v1alpha1.AdminUserList
		g.Expect(s.Client.List(ctx, &users)).To(Succeed())
		for i := range users.Items {
			g.Expect(meta.FindStatusCondition(users.Items[i].Status.Conditions, v1alpha1.ConditionLastAdmin)).To(BeNil())
		}
	}).WithTimeout(patience).Should(Succeed())
}

// awaitKept returns the one remaining AdminUser.
func awaitKept(ctx context.Context) *v1alpha1.AdminUser {
	GinkgoHelper()
	var users v1alpha1.AdminUserList
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.List(ctx, &users)).To(Succeed())
		g.Expect(users.Items).To(HaveLen(1))
		mark := meta.FindStatusCondition(users.Items[0].Status.Conditions, v1alpha1.ConditionLastAdmin)
		g.Expect(mark).NotTo(BeNil())
		g.Expect(mark.Reason).To(Equal(v1alpha1.ReasonKeptLastAdmin))
	}).WithTimeout(patience).Should(Succeed())
	return &users.Items[0]
}

// issuedAgain creates a deleted AdminUser again, once the former one is gone.
func issuedAgain(ctx context.Context, name string) {
	GinkgoHelper()
	Eventually(ctx, func() error {
		return s.Client.Create(ctx,
			&v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: stack.Namespace, Name: name}})
	}).WithTimeout(patience).Should(Succeed())
	key(ctx, name)
}

var _ = Describe("Both programs", func() {
	It("work with an API server that cannot stream lists", Serial, func(ctx SpecContext) {
		restartBoth(ctx, "KUBE_FEATURE_WatchListClient=false")
		DeferCleanup(func(ctx SpecContext) { restartBoth(ctx) })
		k := newAPIKey(ctx, "listed")
		expectAnswer(ctx, awaitReady(ctx, k, v1alpha1.ReasonIssued), http.StatusOK)
		removeAPIKey(ctx, k)
	})
})

func restartBoth(ctx context.Context, env ...string) {
	GinkgoHelper()
	for _, p := range []*stack.Process{s.Operator, s.Server} {
		p.Env = env
		Expect(p.Restart(ctx)).To(Succeed())
	}
}

var _ = Describe("The checked configuration", func() {
	It("is restored each time it is changed, with one event", func(ctx SpecContext) {
		expectAnswer(ctx, s.BootstrapKey, http.StatusOK)
		for range 3 {
			spoil(ctx)
		}
		Eventually(ctx, func(g Gomega) {
			var events eventsv1.EventList
			g.Expect(s.Client.List(ctx, &events, client.InNamespace(stack.Namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(SatisfyAll(
				HaveField("Reason", v1alpha1.EventConfigApplied),
				HaveField("Series", Not(BeNil())),
			)))
		}).WithTimeout(patience).Should(Succeed())
	})
})

// spoil changes keywright-runtime and waits until it is restored.
func spoil(ctx context.Context) {
	GinkgoHelper()
	runtime := &corev1.ConfigMap{}
	name := client.ObjectKey{Namespace: stack.Namespace, Name: v1alpha1.ConfigMapRuntime}
	Expect(s.Client.Get(ctx, name, runtime)).To(Succeed())
	right := runtime.DeepCopy()
	for entry := range runtime.Data {
		runtime.Data[entry] = "spoilt"
	}
	Expect(s.Client.Update(ctx, runtime)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(s.Client.Get(ctx, name, runtime)).To(Succeed())
		g.Expect(settingsOf(g, runtime)).To(Equal(settingsOf(g, right)))
	}).WithTimeout(patience).Should(Succeed())
}

// settingsOf returns the document in keywright-runtime without the former bootstrap keys, which are nowhere else: an
// operator that has just started does not know them.
func settingsOf(g Gomega, runtime *corev1.ConfigMap) config.Runtime {
	settings, err := config.ParseRuntime(runtime.Data[config.RuntimeKey])
	g.Expect(err).NotTo(HaveOccurred())
	settings.FormerBootstrapDigests = nil
	return settings
}
