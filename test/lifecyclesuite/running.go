package lifecyclesuite

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
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
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/internal/operator/keysource"
)

// Works are the conditions of an object whose key is accepted, as State returns them.
const Works = issued + " " + accepted

// quota simulates a quota of Secrets, which is used up while exhausted is true.
type quota struct {
	exhausted atomic.Bool
	attempts  atomic.Int64
}

var errQuota = errors.New("exceeded quota: secrets")

// client returns the manager's client under the quota.
func (q *quota) client(config *rest.Config, options client.Options) (client.Client, error) {
	c, err := client.NewWithWatch(config, options)
	if err != nil {
		return nil, err
	}
	return interceptor.NewClient(c, interceptor.Funcs{
		Apply: func(
			ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption,
		) error {
			q.attempts.Add(1)
			if q.exhausted.Load() {
				return errQuota
			}
			return c.Apply(ctx, o, opts...)
		},
	}), nil
}

// StartManager runs the controller as the operator does, with the real clock, until the spec ends. The channel asks the
// controller to reconcile an object.
func (e *Env[T]) StartManager(ctx context.Context) chan<- event.GenericEvent {
	GinkgoHelper()
	return e.startManager(ctx, &quota{})
}

func (e *Env[T]) startManager(ctx context.Context, q *quota) chan<- event.GenericEvent {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(e.Plane.Admin, ctrl.Options{
		Scheme: e.Plane.Client.Scheme(), NewClient: q.client, Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{e.Namespace: {}, e.System: {}}},
	})
	Expect(err).NotTo(HaveOccurred())
	for _, index := range e.Indexes {
		Expect(index(ctx, mgr.GetFieldIndexer())).To(Succeed())
	}
	r := e.Kind.Reconciler(mgr.GetClient(), &issuer.Issuer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: e.Events, Peppers: e, Formats: e,
		Clock: clock.RealClock{}, Random: rand.Reader,
	}, e.System)
	asked := make(chan event.GenericEvent, 1)
	Expect(r.SetupWithManager(mgr, asked, controller.Options{SkipNameValidation: new(true)})).To(Succeed())
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
	return asked
}

// State returns a function for Eventually that reads conditions Ready and Active.
func (e *Env[T]) State(name string) func(context.Context) string {
	return func(ctx context.Context) string {
		o := e.Get(ctx, name)
		return Condition(o, v1alpha1.ConditionReady) + " " + Condition(o, v1alpha1.ConditionActive)
	}
}

func (s *Suite[T]) running() {
	Describe("The running controller", func() {
		It("issues a key, and writes a lost Secret again", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.StartManager(ctx)
			e.Create(ctx, one, s.reissue)
			Eventually(ctx, e.State(one)).Should(Equal(Works))
			first := e.Plaintext(ctx, e.SecretOf(one))
			Expect(s.Plane.Client.Delete(ctx, e.Secret(ctx, e.SecretOf(one)))).To(Succeed())
			Eventually(ctx, func() string {
				secret := &corev1.Secret{}
				_ = s.Plane.Client.Get(ctx, e.Key(e.SecretOf(one)), secret)
				return string(secret.Data["key"])
			}).Should(And(HaveLen(len(first)), Not(Equal(first))))
		}, NodeTimeout(time.Minute))

		// Each failed attempt writes status twice, and the controller's own watch reports these writes.
		It("does not loop while a key cannot be delivered, and continues when it can", func(ctx SpecContext) {
			e, q := s.NewEnv(ctx), &quota{}
			q.exhausted.Store(true)
			e.startManager(ctx, q)
			e.Create(ctx, one)
			Eventually(ctx, func() string { return Condition(e.Get(ctx, one), "Ready") }).Should(Equal("False/Retrying"))
			Consistently(ctx, q.attempts.Load).WithTimeout(2 * time.Second).Should(BeNumerically("<=", 6))

			q.exhausted.Store(false)
			Eventually(ctx, e.State(one)).WithTimeout(10 * time.Second).Should(HavePrefix(issued))
			Expect(e.Get(ctx, one).HolderStatus().Keys).To(HaveLen(1))
		}, NodeTimeout(time.Minute))

		It("reconciles an object that it is asked to", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.LosePepper(keysource.ErrPepperPending)
			asked := e.StartManager(ctx)
			o := e.Create(ctx, one)
			Consistently(ctx, e.State(one)).WithTimeout(300 * time.Millisecond).Should(Equal(" "))
			e.LosePepper(nil)
			asked <- event.GenericEvent{Object: o}
			Eventually(ctx, e.State(one)).Should(Equal(Works))
		}, NodeTimeout(20*time.Second))
	})
}
