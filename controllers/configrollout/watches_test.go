package configrollout_test

import (
	"context"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"keywright.dev/keywright/controllers/configrollout"
)

// countingClock is a real clock that counts its readings: one per reconcile.
type countingClock struct {
	clock.RealClock
	readings atomic.Int64
}

func (w *countingClock) Now() time.Time {
	w.readings.Add(1)
	return w.RealClock.Now()
}

// startManager runs the controller as the operator does, with real events, and returns after its first reconcile.
func (e *env) startManager(ctx context.Context) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(plane.Admin, ctrl.Options{
		Scheme: plane.Client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{e.namespace: {}}},
	})
	Expect(err).NotTo(HaveOccurred())
	counting := &countingClock{}
	recorder := mgr.GetEventRecorder("keywright-operator")
	r := &configrollout.Reconciler{Events: recorder, Clock: counting, Namespace: e.namespace}
	Expect(r.SetupWithManager(mgr, mgr.GetCache(), mgr.GetCache())).To(Succeed())
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
	Eventually(ctx, counting.readings.Load).WithTimeout(20 * time.Second).Should(BeNumerically(">", 0))
}

// notes returns the events on keywright-config.
func (e *env) notes(ctx context.Context) (notes []string) {
	GinkgoHelper()
	var events eventsv1.EventList
	Expect(plane.Client.List(ctx, &events, client.InNamespace(e.namespace))).To(Succeed())
	for _, e := range events.Items {
		Expect(e.Regarding.Name).To(Equal("keywright-config"))
		notes = append(notes, e.Type+" "+e.Reason+" "+e.Note)
	}
	return notes
}

var _ = Describe("The running controller", func() {
	It("follows the configuration and the Leases, with a separate event for each rollout", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.clock.SetTime(time.Now())
		// None of the watched objects exists yet.
		e.startManager(ctx)
		e.configure(ctx)
		e.reports(ctx, "a", first)
		e.reports(ctx, "b", first)
		e.publish(ctx, first)
		Eventually(ctx, e.notes).Should(ContainElement(bothRun(first)))

		// keywright-config does not change: without their related objects, the recorder would merge the events.
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		e.reports(ctx, "b", second)
		Eventually(ctx, e.notes).Should(ContainElement(bothRun(second)))
		e.publish(ctx, first)
		e.reports(ctx, "a", first)
		e.reports(ctx, "b", first, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("") })
		Eventually(ctx, e.notes).Should(ConsistOf(bothRun(first), bothRun(second), onlyReplicaRuns(first)))
	}, NodeTimeout(time.Minute))

	It("checks again when a Lease is deleted", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.clock.SetTime(time.Now())
		e.configure(ctx)
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		e.reports(ctx, "b", first, func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(1)) })
		e.startManager(ctx)
		Expect(e.notes(ctx)).To(BeEmpty())
		e.remove(ctx, &coordinationv1.Lease{}, "keywright-server-b")
		Eventually(ctx, e.notes).WithTimeout(20 * time.Second).Should(ConsistOf(onlyReplicaRuns(second)))
	}, NodeTimeout(time.Minute))
})
