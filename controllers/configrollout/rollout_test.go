package configrollout_test

import (
	"context"
	"errors"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/internal/config"
)

func allRun(document string) string {
	return "Normal ConfigRunning All 2 replicas run configuration " + config.Revision(document) + "."
}

func theOnlyRuns(document string) string {
	return "Normal ConfigRunning The only replica runs configuration " + config.Revision(document) + "."
}

var _ = Describe("A new configuration", func() {
	It("is told of, once, when every server runs it", func(ctx SpecContext) {
		b := settled(ctx)
		b.handOut(ctx, second)
		b.look(ctx)
		b.reports(ctx, "a", second)
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty())
		b.reports(ctx, "b", second)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.events.Take()).To(ConsistOf(allRun(second)))
		b.reports(ctx, "a", second)
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty())
	})

	It("waits for a server that has none, and not for one that said goodbye", func(ctx SpecContext) {
		b := settled(ctx)
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		b.reports(ctx, "b", "")
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty())
		b.reports(ctx, "b", "", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("") })
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(theOnlyRuns(second)))
	})

	It("waits for a server that was killed for as long as its Lease lives", func(ctx SpecContext) {
		b := settled(ctx)
		b.pass(10 * time.Second)
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		Expect(b.look(ctx)).To(Equal(35*time.Second), "b was heard of ten seconds ago, and counts for 45")
		b.pass(35*time.Second - 1)
		Expect(b.look(ctx)).To(Equal(time.Duration(1)))
		Expect(b.events.Take()).To(BeEmpty())
		b.pass(1)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.events.Take()).To(ConsistOf(theOnlyRuns(second)))
	})

	It("that a server does not take up is told of after a minute, and again when it has", func(ctx SpecContext) {
		b := settled(ctx)
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		Expect(b.look(ctx)).To(Equal(45 * time.Second))
		for range 4 {
			Expect(b.events.Take()).To(BeEmpty())
			b.pass(15 * time.Second)
			b.reports(ctx, "b", first)
			b.look(ctx)
		}
		Expect(b.events.Take()).To(ConsistOf("Warning ConfigLags After 1m0s not every replica runs configuration " +
			config.Revision(second) + ": keywright-server-b runs " + config.Revision(first) +
			". The logs of these replicas have the reason."))
		b.reports(ctx, "a", second)
		b.reports(ctx, "b", second)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(allRun(second)))
	})

	It("is handed out before the first server starts", func(ctx SpecContext) {
		b := newBench(ctx)
		b.configure(ctx)
		Expect(b.look(ctx)).To(BeZero())
		b.handOut(ctx, first)
		Expect(b.look(ctx)).To(BeZero())
		b.reports(ctx, "a", first)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(theOnlyRuns(first)))
	})

	It("is told to nobody where nobody has written one", func(ctx SpecContext) {
		b := settled(ctx)
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		b.reports(ctx, "b", second)
		b.look(ctx)
		b.configure(ctx)
		b.look(ctx)
		Expect(b.events.Take()).To(BeEmpty())
	})

	It("is none when the one that there is was deleted and put back", func(ctx SpecContext) {
		b := settled(ctx)
		b.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		Expect(b.look(ctx)).To(BeZero())
		b.put(ctx, "keywright-runtime", map[string]string{"theirs": "stays"})
		Expect(b.look(ctx)).To(BeZero())
		b.handOut(ctx, first)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.events.Take()).To(BeEmpty())
	})
})

// Whoever may write Leases may write anything there.
var _ = DescribeTable("A Lease holds nothing up, and is not read out, that",
	func(ctx SpecContext, change func(*coordinationv1.Lease)) {
		b := settled(ctx)
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		b.remove(ctx, &coordinationv1.Lease{}, "keywright-server-b")
		b.reports(ctx, "b", first, change)
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.events.Take()).To(ConsistOf(theOnlyRuns(second)))
	},
	Entry("is no server's by its labels", func(l *coordinationv1.Lease) { l.Labels["app.kubernetes.io/component"] = "operator" }),
	Entry("has no labels", func(l *coordinationv1.Lease) { l.Labels = nil }),
	Entry("is no server's by its name", func(l *coordinationv1.Lease) { l.Name = "keywright-operator" }),
	Entry("nobody holds", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil }),
	Entry("was never renewed", func(l *coordinationv1.Lease) { l.Spec.RenewTime = nil }),
	Entry("does not say for how long it counts", func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = nil }),
	Entry("is over", func(l *coordinationv1.Lease) {
		l.Spec.RenewTime = new(metav1.NewMicroTime(begin.Add(-45 * time.Second)))
	}),
)

var _ = Describe("What a Lease gives as a revision and is none", func() {
	It("is not passed on", func(ctx SpecContext) {
		b := settled(ctx)
		b.reports(ctx, "b", first, func(l *coordinationv1.Lease) {
			l.Spec.LeaseDurationSeconds = new(int32(3600))
			l.Annotations["keywright.dev/configuration"] = "%s\n" + strings.Repeat("look here ", 10_000)
		})
		Expect(b.look(ctx)).To(Equal(time.Minute))
		b.pass(time.Minute)
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(HaveSuffix(": keywright-server-b has no configuration. " +
			"The logs of these replicas have the reason.")))
	})
})

var _ = Describe("While the API server is away", func() {
	It("nothing is told, and nothing forgotten", func(ctx SpecContext) {
		b := settled(ctx)
		away := errors.New("the API server is away")
		unreadable := interceptor.NewClient(plane.Client, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return away
			},
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away },
		})
		b.handOut(ctx, second)
		b.reports(ctx, "a", second)
		b.reports(ctx, "b", second)
		for _, part := range []*client.Reader{&b.Config, &b.Runtime, &b.Leases} {
			*part = unreadable
			_, err := b.Reconcile(ctx, reconcile.Request{})
			Expect(err).To(MatchError(away))
			*part = plane.Client
		}
		Expect(b.events.Take()).To(BeEmpty())
		b.look(ctx)
		Expect(b.events.Take()).To(ConsistOf(allRun(second)))
	})
})
