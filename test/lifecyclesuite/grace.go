package lifecyclesuite

import (
	"context"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Grace is how long a problem that another object may cure is Reconciling before it is Stalled.
const Grace = time.Minute

// cured are the reasons of such problems.
var cured = []string{"UnknownRole", "OwnerGone", "OwnerDenied", "UsernameTaken", "SecretConflict", "KeyInUse"}

// waits reports whether the object waits for another one to cure a problem.
func waits(o keyholder.Object) bool {
	c := meta.FindStatusCondition(o.HolderStatus().Conditions, v1alpha1.ConditionReconciling)
	return c != nil && slices.Contains(cured, c.Reason)
}

// checkWaiting checks the conditions of an object that waits.
func checkWaiting(o keyholder.Object) {
	GinkgoHelper()
	reconciling := meta.FindStatusCondition(o.HolderStatus().Conditions, v1alpha1.ConditionReconciling)
	Expect(Condition(o, v1alpha1.ConditionReady)).To(Equal("False/" + reconciling.Reason))
	Expect(Message(o, v1alpha1.ConditionReady)).To(Equal(reconciling.Message))
	Expect(Condition(o, v1alpha1.ConditionStalled)).To(BeEmpty())
	Expect(o.HolderStatus().ObservedGeneration).To(Equal(o.GetGeneration()))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	Expect(err).NotTo(HaveOccurred())
	result, err := status.Compute(&unstructured.Unstructured{Object: content})
	Expect(err).NotTo(HaveOccurred())
	Expect(result.Status).To(Equal(status.InProgressStatus), "Flux and kpt wait for it")
}

// PassGrace lets the grace of a problem pass, and reconciles the object.
func (e *Env[T]) PassGrace(ctx context.Context, name string) T {
	GinkgoHelper()
	e.Clock.SetTime(e.Clock.Now().Add(Grace))
	e.Reconcile(ctx, name)
	return e.Get(ctx, name)
}

func (s *Suite[T]) grace() {
	const conflict = "True/SecretConflict"
	expect := func(o T, reconciling, stalled string) {
		GinkgoHelper()
		ExpectConditions(o, "False/SecretConflict", noKey)
		Expect(Condition(o, v1alpha1.ConditionReconciling)).To(Equal(reconciling))
		Expect(Condition(o, v1alpha1.ConditionStalled)).To(Equal(stalled))
	}

	Describe("A problem that another object may cure", func() {
		It("is Reconciling for a minute, then Stalled, and one event warns of it", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Foreign(ctx, e.SecretOf(one))
			expect(e.Apply(ctx, one), conflict, "")
			e.SetTime(20 * time.Second)
			Expect(e.Reconcile(ctx, one)).To(Equal(40 * time.Second))
			expect(e.At(ctx, Grace-time.Second, one), conflict, "")
			Expect(e.Events.Take()).To(BeEmpty())
			expect(e.At(ctx, Grace, one), "", conflict)
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Warning SecretConflict")))
			expect(e.At(ctx, 2*Grace, one), "", conflict)
			Expect(e.Events.Take()).To(BeEmpty(), "once")
		})

		It("that is cured in time is never Stalled", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			foreign := e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			Expect(s.Plane.Client.Delete(ctx, foreign)).To(Succeed())
			o := e.At(ctx, 30*time.Second, one)
			ExpectConditions(o, issued, accepted)
			Expect(Condition(o, v1alpha1.ConditionReconciling)).To(BeEmpty())
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
		})

		It("keeps its time when the spec changes, and stays Stalled", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			e.SetTime(30 * time.Second)
			expect(e.Change(ctx, one, s.overlapOf("10m")), conflict, "")
			expect(e.At(ctx, Grace, one), "", conflict)
			expect(e.Change(ctx, one, s.overlapOf("20m")), "", conflict)
		})

		It("has a time of its own each time it appears", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			foreign := e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			e.PassGrace(ctx, one)
			Expect(s.Plane.Client.Delete(ctx, foreign)).To(Succeed())
			e.Reconcile(ctx, one)
			e.Foreign(ctx, "taken")
			o := e.Change(ctx, one, s.secretNamed("taken"))
			ExpectConditions(o, "False/SecretConflict", accepted)
			Expect(Condition(o, v1alpha1.ConditionReconciling)).To(Equal(conflict))
			Expect(Condition(e.PassGrace(ctx, one), v1alpha1.ConditionStalled)).To(Equal(conflict))
		})
	})
}
