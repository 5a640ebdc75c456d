package adminuser_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/adminuser"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
)

// full is a namespace whose quota of Secrets is used up while it is set.
type full struct {
	on    atomic.Bool
	tries atomic.Int64
}

var errQuota = errors.New("exceeded quota: secrets")

// client is the manager's, in such a namespace.
func (f *full) client(config *rest.Config, options client.Options) (client.Client, error) {
	c, err := client.NewWithWatch(config, options)
	if err != nil {
		return nil, err
	}
	return interceptor.NewClient(c, interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			f.tries.Add(1)
			if f.on.Load() {
				return errQuota
			}
			return c.Apply(ctx, o, opts...)
		},
	}), nil
}

// startManager runs the controller as the operator does, on a clock that goes.
func (b *bench) startManager(ctx context.Context, quota *full) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(plane.Admin, ctrl.Options{
		Scheme: plane.Client.Scheme(), NewClient: quota.client, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{b.namespace: {}}},
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(issuer.IndexSecrets(ctx, mgr.GetFieldIndexer())).To(Succeed())
	Expect(keyholder.Index(ctx, mgr.GetFieldIndexer())).To(Succeed())
	Expect(keyholder.IndexUsernames(ctx, mgr.GetFieldIndexer())).To(Succeed())
	r := &adminuser.Reconciler{Client: mgr.GetClient(), Issuer: &issuer.Issuer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: b.events, Peppers: b,
		Formats: b, Clock: clock.RealClock{}, Random: rand.Reader,
	}}
	Expect(r.SetupWithManager(mgr, make(chan event.GenericEvent), controller.Options{SkipNameValidation: new(true)})).To(Succeed())
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
}

var _ = Describe("The running controller", func() {
	It("issues a key, and writes a lost Secret anew", func(ctx SpecContext) {
		b := newBench(ctx)
		b.startManager(ctx, &full{})
		user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}}
		reissue(user)
		Expect(plane.Client.Create(ctx, user)).To(Succeed())
		Eventually(ctx, b.reason("alice")).Should(Equal("True/Issued"))
		first := b.plaintext(ctx, "alice-admin-key")

		Expect(plane.Client.Delete(ctx, b.secret(ctx, "alice-admin-key"))).To(Succeed())
		Eventually(ctx, func() string {
			secret := &corev1.Secret{}
			_ = plane.Client.Get(ctx, b.name("alice-admin-key"), secret)
			return string(secret.Data["key"])
		}).Should(And(HaveLen(len(first)), Not(Equal(first))))
	}, NodeTimeout(time.Minute))

	// Each failing try writes status twice, and is told of it by its own watch.
	It("does not run in circles when a key can't be delivered, and goes on when it can", func(ctx SpecContext) {
		b, quota := newBench(ctx), &full{}
		quota.on.Store(true)
		b.startManager(ctx, quota)
		Expect(plane.Client.Create(ctx, &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}})).To(Succeed())
		Eventually(ctx, b.reason("alice")).Should(Equal("False/Retrying"))
		Consistently(ctx, quota.tries.Load).WithTimeout(2 * time.Second).Should(BeNumerically("<=", 6))

		quota.on.Store(false)
		Eventually(ctx, b.reason("alice")).WithTimeout(10 * time.Second).Should(Equal("True/Issued"))
		Expect(b.get(ctx, "alice").Status.Keys).To(HaveLen(1))
	}, NodeTimeout(time.Minute))
})

// reason asks for what Ready says.
func (b *bench) reason(name string) func(context.Context) string {
	return func(ctx context.Context) string { return reasonOf(b.get(ctx, name), v1alpha1.ConditionReady) }
}
