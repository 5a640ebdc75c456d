package apikey_test

import (
	"context"
	"crypto/rand"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/apikey"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/internal/operator/keysource"
	"keywright.dev/keywright/test/kit"
)

// startManager runs the controller as the operator does, on a clock that goes. What is sent to the channel asks
// it to look at an object again.
func (b *bench) startManager(ctx context.Context) chan<- event.GenericEvent {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(plane.Admin, ctrl.Options{
		Scheme: plane.Client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{b.namespace: {}, b.system: {}}},
	})
	Expect(err).NotTo(HaveOccurred())
	for _, index := range []kit.Index{issuer.IndexSecrets, keyholder.Index, keyholder.IndexUsernames, apikey.Index} {
		Expect(index(ctx, mgr.GetFieldIndexer())).To(Succeed())
	}
	r := &apikey.Reconciler{Client: mgr.GetClient(), System: b.system, Issuer: &issuer.Issuer{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: b.events, Peppers: b,
		Formats: b, Clock: clock.RealClock{}, Random: rand.Reader,
	}}
	asked := make(chan event.GenericEvent, 1)
	Expect(r.SetupWithManager(mgr, asked, controller.Options{SkipNameValidation: new(true)})).To(Succeed())
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
	return asked
}

// state asks for what Ready and Active say.
func (b *bench) state(name string) func(context.Context) string {
	return func(ctx context.Context) string {
		k := b.get(ctx, name)
		return reasonOf(k, v1alpha1.ConditionReady) + " " + reasonOf(k, v1alpha1.ConditionActive)
	}
}

var _ = Describe("The running controller", func() {
	const works = "True/Issued True/Accepted"

	It("issues a key, and writes a lost Secret anew", func(ctx SpecContext) {
		b := newBench(ctx)
		b.startManager(ctx)
		b.create(ctx, "ci")
		Eventually(ctx, b.state("ci")).Should(Equal(works))
		first := b.plaintext(ctx, "ci-api-key")
		Expect(plane.Client.Delete(ctx, b.secret(ctx, "ci-api-key"))).To(Succeed())
		Eventually(ctx, func() string {
			secret := &corev1.Secret{}
			_ = plane.Client.Get(ctx, b.name("ci-api-key"), secret)
			return string(secret.Data["key"])
		}).Should(And(HaveLen(len(first)), Not(Equal(first))))
	}, NodeTimeout(20*time.Second))

	It("goes on by itself when a role comes, changes and goes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.startManager(ctx)
		b.create(ctx, "ci", using(v1alpha1.RoleName(b.own("late"))))
		Eventually(ctx, b.state("ci")).Should(Equal("False/UnknownRole False/NoKey"))
		role := b.role(ctx, "late")
		Eventually(ctx, b.state("ci")).Should(Equal(works))
		b.editRole(ctx, role, maxTTL("1h"))
		Eventually(ctx, func() *metav1.Time { return b.get(ctx, "ci").Status.Keys[0].NotAfter }).ShouldNot(BeNil())
		deleteRole(ctx, role)
		Eventually(ctx, b.state("ci")).Should(Equal("False/UnknownRole True/Accepted"))
	}, NodeTimeout(20*time.Second))

	It("follows what becomes of the user a key speaks as", func(ctx SpecContext) {
		b := newBench(ctx)
		b.startManager(ctx)
		carol := b.own("carol")
		b.create(ctx, "ci", speakingAs(carol))
		Eventually(ctx, b.state("ci")).Should(Equal(works))

		role := b.role(ctx, "visitor", members(carol), denying)
		Eventually(ctx, b.state("ci")).Should(Equal("False/OwnerDenied False/OwnerDenied"))
		b.editRole(ctx, role, members("somebody"))
		Eventually(ctx, b.state("ci")).Should(Equal(works), "who was a member is told too")

		user := adminUser(ctx, b.system, carol, false)
		Eventually(ctx, b.state("ci")).Should(Equal("True/Issued False/OwnerDisabled"))
		user.Spec.Enabled = new(true)
		Expect(cached.Update(ctx, user)).To(Succeed())
		Eventually(ctx, b.state("ci")).Should(Equal(works))
	}, NodeTimeout(20*time.Second))

	It("looks again at what it is asked to", func(ctx SpecContext) {
		b := newBench(ctx)
		b.losePepper(keysource.ErrPepperPending)
		asked := b.startManager(ctx)
		k := b.create(ctx, "ci")
		Consistently(ctx, b.state("ci")).WithTimeout(300 * time.Millisecond).Should(Equal(" "))
		b.losePepper(nil)
		asked <- event.GenericEvent{Object: k}
		Eventually(ctx, b.state("ci")).Should(Equal(works))
	}, NodeTimeout(20*time.Second))

	It("ends a key by its own clock", func(ctx SpecContext) {
		b := newBench(ctx)
		b.startManager(ctx)
		b.create(ctx, "ci", ttl("2s"))
		Eventually(ctx, b.state("ci")).WithTimeout(10 * time.Second).Should(Equal("True/Issued False/Expired"))
	}, NodeTimeout(20*time.Second))
})
