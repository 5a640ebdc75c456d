package secretwait_test

import (
	"context"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/internal/operator/secretwait"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestSecretWait(t *testing.T) {
	kit.RunSpecs(t, "Waiting for a Secret")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

// env is a namespace with a Secret in the way, and a Waiter.
type env struct {
	*secretwait.Waiter
	secret      *corev1.Secret
	users, keys chan event.GenericEvent
	// watched receives a value when a watch is open.
	watched chan struct{}
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	e := &env{
		users: make(chan event.GenericEvent, 10), keys: make(chan event.GenericEvent, 10), watched: make(chan struct{}, 10),
		secret: &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: kit.Namespace(ctx, plane, "wait-"), Name: "wanted",
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "bitnami.com/v1alpha1", Kind: "SealedSecret", Name: "wanted", UID: "a", Controller: new(true),
			}},
		}},
	}
	Expect(plane.Client.Create(ctx, e.secret)).To(Succeed())
	live := interceptor.NewClient(plane.Client, interceptor.Funcs{Watch: e.watch})
	e.Waiter = secretwait.New(live, map[string]chan<- event.GenericEvent{
		keyholder.AdminUser: e.users, keyholder.APIKey: e.keys,
	})
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Start(running) }()
	DeferCleanup(func() {
		stop()
		Eventually(ended).Should(Receive(BeNil()), "it ends with its context")
	})
	return e
}

func (e *env) watch(
	ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption,
) (watch.Interface, error) {
	opened, err := c.Watch(ctx, list, options...)
	e.watched <- struct{}{}
	return opened, err
}

// metadata returns the metadata of the Secret as it is now.
func (e *env) metadata(ctx context.Context) *metav1.PartialObjectMetadata {
	GinkgoHelper()
	found := issuer.SecretMetadata()
	Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(e.secret), found)).To(Succeed())
	return found
}

func (e *env) change(ctx context.Context, patch string) {
	GinkgoHelper()
	merge := client.RawPatch("application/merge-patch+json", []byte(patch))
	Expect(plane.Client.Patch(ctx, e.secret.DeepCopy(), merge)).To(Succeed())
}

func (e *env) user() *v1alpha1.AdminUser {
	return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: e.secret.Namespace, Name: "alice"}}
}

func (e *env) key() *v1alpha1.APIKey {
	return &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: e.secret.Namespace, Name: "ci"}}
}

const handedOver = `{"metadata":{"annotations":{"keywright.dev/adopt":"true"}}}`

var _ = DescribeTable("An object that waits is requeued when the Secret",
	func(ctx SpecContext, change func(context.Context, *env)) {
		for _, moment := range []string{"before the watch", "during the watch"} {
			e := newEnv(ctx)
			seen := e.metadata(ctx)
			if moment == "before the watch" {
				change(ctx, e)
			}
			e.Await(e.user(), seen)
			e.Await(e.key(), seen)
			if moment == "during the watch" {
				Eventually(e.watched).Should(Receive())
				Eventually(e.watched).Should(Receive())
				e.change(ctx, `{"metadata":{"labels":{"of":"others"}}}`)
				Consistently(e.users).ShouldNot(Receive(), "a Secret that stays in the way")
				change(ctx, e)
			}
			Eventually(e.users).Should(Receive(HaveField("Object.GetName()", "alice")), moment)
			Eventually(e.keys).Should(Receive(HaveField("Object.GetName()", "ci")), moment)
		}
	},
	Entry("is deleted", func(ctx context.Context, e *env) {
		Expect(plane.Client.Delete(ctx, e.secret.DeepCopy())).To(Succeed())
	}),
	Entry("is replaced", func(ctx context.Context, e *env) {
		Expect(plane.Client.Delete(ctx, e.secret.DeepCopy())).To(Succeed())
		Expect(plane.Client.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: e.secret.Namespace, Name: e.secret.Name}})).To(Succeed())
	}),
	Entry("loses its controller", func(ctx context.Context, e *env) {
		e.change(ctx, `{"metadata":{"ownerReferences":null}}`)
	}),
	Entry("is handed over", func(ctx context.Context, e *env) { e.change(ctx, handedOver) }),
)

var _ = Describe("Waiting", func() {
	It("opens one watch for an object that asks several times, and another after its end", func(ctx SpecContext) {
		e := newEnv(ctx)
		seen := e.metadata(ctx)
		for range 5 {
			e.Await(e.key(), seen)
		}
		Eventually(e.watched).Should(Receive())
		Expect(plane.Client.Delete(ctx, e.secret.DeepCopy())).To(Succeed())
		Eventually(e.keys).Should(Receive())
		Expect(e.watched).NotTo(Receive())
		Expect(e.keys).NotTo(Receive())

		e.Await(e.key(), seen)
		Eventually(e.keys).Should(Receive(), "the Secret is gone already")
	})

	It("is nothing without a Secret, and without a Waiter", func() {
		e := newEnv(context.Background())
		e.Await(e.key(), nil)
		(*secretwait.Waiter)(nil).Await(e.key(), e.metadata(context.Background()))
		Expect(e.watched).NotTo(Receive())
	})
})
