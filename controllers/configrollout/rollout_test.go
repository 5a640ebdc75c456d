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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/internal/config"
)

func bothRun(document string) string {
	return "Normal ConfigRunning All 2 replicas run configuration " + config.Revision(document) + "."
}

func onlyReplicaRuns(document string) string {
	return "Normal ConfigRunning The only replica runs configuration " + config.Revision(document) + "."
}

var _ = Describe("A new configuration", func() {
	It("is reported once when every replica runs it", func(ctx SpecContext) {
		e := settled(ctx)
		e.publish(ctx, second)
		e.reconcile(ctx)
		e.reports(ctx, "a", second)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
		e.reports(ctx, "b", second)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.events.Take()).To(ConsistOf(bothRun(second)))
		e.reports(ctx, "a", second)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
	})

	It("waits for a replica without a configuration, but not for a stopped one", func(ctx SpecContext) {
		e := settled(ctx)
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		e.reports(ctx, "b", "")
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
		e.reports(ctx, "b", "", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = new("") })
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(onlyReplicaRuns(second)))
	})

	It("waits for a replica that does not report, and names it, until its Lease is deleted", func(ctx SpecContext) {
		e := settled(ctx)
		e.pass(10 * time.Second)
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		Expect(e.reconcile(ctx)).To(Equal(time.Minute))
		e.pass(time.Minute)
		e.reports(ctx, "a", second)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.events.Take()).To(ConsistOf(ContainSubstring(
			": keywright-server-b has not reported since " + begin.Format(time.RFC3339) + ".")))
		e.remove(ctx, &coordinationv1.Lease{}, "keywright-server-b")
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.events.Take()).To(ConsistOf(onlyReplicaRuns(second)))
	})

	It("that a replica does not run causes a warning after a minute, and a report when it does", func(ctx SpecContext) {
		e := settled(ctx)
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		Expect(e.reconcile(ctx)).To(Equal(time.Minute))
		for range 4 {
			Expect(e.events.Take()).To(BeEmpty())
			e.pass(15 * time.Second)
			e.reports(ctx, "b", first)
			e.reconcile(ctx)
		}
		Expect(e.events.Take()).To(ConsistOf("Warning ConfigLags After 1m0s not every replica runs configuration " +
			config.Revision(second) + ": keywright-server-b runs " + config.Revision(first) +
			". The logs of these replicas have the reason."))
		e.reports(ctx, "a", second)
		e.reports(ctx, "b", second)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(bothRun(second)))
	})

	It("may be published before the first replica starts", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.configure(ctx)
		Expect(e.reconcile(ctx)).To(BeZero())
		e.publish(ctx, first)
		Expect(e.reconcile(ctx)).To(BeZero())
		e.reports(ctx, "a", first)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(onlyReplicaRuns(first)))
	})

	It("is not reported without keywright-config", func(ctx SpecContext) {
		e := settled(ctx)
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-config")
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		e.reports(ctx, "b", second)
		e.reconcile(ctx)
		e.configure(ctx)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(BeEmpty())
	})

	It("is not reported if the document is deleted and restored", func(ctx SpecContext) {
		e := settled(ctx)
		e.remove(ctx, &corev1.ConfigMap{}, "keywright-runtime")
		Expect(e.reconcile(ctx)).To(BeZero())
		e.put(ctx, "keywright-runtime", map[string]string{"theirs": "stays"})
		Expect(e.reconcile(ctx)).To(BeZero())
		e.publish(ctx, first)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.events.Take()).To(BeEmpty())
	})
})

// A client with access to Leases may write anything into them.
var _ = DescribeTable("A Lease delays nothing, and is not quoted, if it",
	func(ctx SpecContext, change func(*coordinationv1.Lease)) {
		e := settled(ctx)
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		e.remove(ctx, &coordinationv1.Lease{}, "keywright-server-b")
		e.reports(ctx, "b", first, change)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.events.Take()).To(ConsistOf(onlyReplicaRuns(second)))
	},
	Entry("has the labels of the operator", func(l *coordinationv1.Lease) {
		l.Labels["app.kubernetes.io/component"] = "operator"
	}),
	Entry("has no labels", func(l *coordinationv1.Lease) { l.Labels = nil }),
	Entry("has the name of the operator's Lease", func(l *coordinationv1.Lease) { l.Name = "keywright-operator" }),
	Entry("has no holder", func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil }),
	Entry("was never renewed", func(l *coordinationv1.Lease) { l.Spec.RenewTime = nil }),
	Entry("has no duration", func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = nil }),
)

var _ = Describe("An invalid revision in a Lease", func() {
	It("is not quoted in an event", func(ctx SpecContext) {
		e := settled(ctx)
		e.reports(ctx, "b", first, func(l *coordinationv1.Lease) {
			l.Spec.LeaseDurationSeconds = new(int32(3600))
			l.Annotations["keywright.dev/configuration"] = "%s\n" + strings.Repeat("look here ", 10_000)
		})
		Expect(e.reconcile(ctx)).To(Equal(time.Minute))
		e.pass(time.Minute)
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(HaveSuffix(": keywright-server-b has no configuration. " +
			"The logs of these replicas have the reason.")))
	})
})

var _ = Describe("During an outage of the API server", func() {
	It("nothing is reported, and the report follows afterwards", func(ctx SpecContext) {
		e := settled(ctx)
		away := errors.New("the API server is away")
		unreadable := interceptor.NewClient(plane.Client, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return away
			},
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return away
			},
		})
		e.publish(ctx, second)
		e.reports(ctx, "a", second)
		e.reports(ctx, "b", second)
		for _, part := range []*client.Reader{&e.Config, &e.Runtime, &e.Leases} {
			*part = unreadable
			_, err := e.Reconcile(ctx, reconcile.Request{})
			Expect(err).To(MatchError(away))
			*part = plane.Client
		}
		Expect(e.events.Take()).To(BeEmpty())
		e.reconcile(ctx)
		Expect(e.events.Take()).To(ConsistOf(bothRun(second)))
	})
})
