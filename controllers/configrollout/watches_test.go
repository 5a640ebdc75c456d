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

// watched is a clock that goes, and knows how often it was looked at: once in each look of the controller.
type watched struct {
	clock.RealClock
	looks atomic.Int64
}

func (w *watched) Now() time.Time {
	w.looks.Add(1)
	return w.RealClock.Now()
}

// startManager runs the controller as the operator does, with real events, and returns when it has taken a
// first look.
func (b *bench) startManager(ctx context.Context) {
	GinkgoHelper()
	mgr, err := ctrl.NewManager(plane.Admin, ctrl.Options{
		Scheme: plane.Client.Scheme(), Metrics: metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)},
		Cache:      cache.Options{DefaultNamespaces: map[string]cache.Config{b.namespace: {}}},
	})
	Expect(err).NotTo(HaveOccurred())
	looked := &watched{}
	r := &configrollout.Reconciler{Events: mgr.GetEventRecorder("keywright-operator"), Clock: looked, Namespace: b.namespace}
	Expect(r.SetupWithManager(mgr, mgr.GetCache(), mgr.GetCache())).To(Succeed())
	running, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	DeferCleanup(func() { stop(); Expect(<-ended).To(Succeed()) })
	Eventually(ctx, looked.looks.Load).WithTimeout(20 * time.Second).Should(BeNumerically(">", 0))
}

// told are the notes of the events on keywright-config.
func (b *bench) told(ctx context.Context) (notes []string) {
	GinkgoHelper()
	var events eventsv1.EventList
	Expect(plane.Client.List(ctx, &events, client.InNamespace(b.namespace))).To(Succeed())
	for _, e := range events.Items {
		Expect(e.Regarding.Name).To(Equal("keywright-config"))
		notes = append(notes, e.Type+" "+e.Reason+" "+e.Note)
	}
	return notes
}

var _ = Describe("The running controller", func() {
	It("follows the configuration and the Leases, and tells of each one by itself", func(ctx SpecContext) {
		b := newBench(ctx)
		b.clock.SetTime(time.Now())
		// There is nothing yet that could be watched.
		b.startManager(ctx)
		b.configure(ctx)
		b.reports(ctx, "a", first)
		b.reports(ctx, "b", first)
		b.handOut(ctx, first)
		Eventually(ctx, b.told).Should(ContainElement(allRun(first)))

		// keywright-config is the same all the time, and so would the events be to the recorder, but for what
		// they relate to.
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		b.reports(ctx, "b", second)
		Eventually(ctx, b.told).Should(ContainElement(allRun(second)))
		b.handOut(ctx, first)
		b.reports(ctx, "a", first)
		b.reports(ctx, "b", first, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("") })
		Eventually(ctx, b.told).Should(ConsistOf(allRun(first), allRun(second), theOnlyRuns(first)))
	}, NodeTimeout(time.Minute))

	It("looks again when a Lease ends of which nothing is heard", func(ctx SpecContext) {
		b := newBench(ctx)
		b.clock.SetTime(time.Now())
		b.configure(ctx)
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		b.reports(ctx, "b", first, func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(2)) })
		b.startManager(ctx)
		Eventually(ctx, b.told).WithTimeout(20 * time.Second).Should(ConsistOf(theOnlyRuns(second)))
	}, NodeTimeout(time.Minute))
})
