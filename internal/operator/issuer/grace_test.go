package issuer

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	clocktesting "k8s.io/utils/clock/testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// at sets the clock to this long after noon and writes the status of a plan.
func (r *run) at(since time.Duration, plan lifecycle.Plan) {
	r.issuer.Clock = clocktesting.NewFakePassiveClock(noon.Add(since))
	r.setStatus(plan)
}

// reported returns the type of condition Stalled or Reconciling, and its reason.
func (r *run) reported() string {
	for _, kind := range []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling} {
		if c := meta.FindStatusCondition(r.target.status().Conditions, kind); c != nil {
			return kind + "/" + c.Reason
		}
	}
	return ""
}

func TestGrace_BeginsWithTheReason(t *testing.T) {
	conflict := lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.SecretConflict}
	inUse := lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.KeyInUse}
	issuing := lifecycle.Plan{Step: lifecycle.Record, Keys: []lifecycle.Key{{ID: "p", State: lifecycle.StatePending}}}
	retired := lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.RetiredKey}
	rest := lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{{ID: "c", State: lifecycle.StateCurrent}}}
	type step struct {
		since time.Duration
		plan  lifecycle.Plan
		want  string
	}
	const waiting, failed = "Reconciling/SecretConflict", "Stalled/SecretConflict"
	for name, steps := range map[string][]step{
		"at once": {{0, conflict, waiting}, {grace - 1, conflict, waiting}, {grace, conflict, failed},
			{2 * grace, conflict, failed}},
		"after a long issue": {{0, issuing, "Reconciling/Issuing"}, {time.Hour, conflict, waiting},
			{time.Hour + grace - 1, conflict, waiting}, {time.Hour + grace, conflict, failed}},
		"after another problem of this sort": {{0, inUse, "Reconciling/KeyInUse"}, {grace - 1, conflict, waiting},
			{grace, conflict, waiting}, {2 * grace, conflict, failed}},
		"after another problem that stalled": {{0, inUse, "Reconciling/KeyInUse"}, {grace, inUse, "Stalled/KeyInUse"},
			{grace, conflict, waiting}, {2 * grace, conflict, failed}},
		"after a problem without a grace": {{0, retired, "Stalled/RetiredKey"}, {grace, conflict, waiting}},
		"after it was cured":              {{0, conflict, waiting}, {grace, rest, ""}, {time.Hour, conflict, waiting}},
		"when the clock steps back": {{0, conflict, waiting}, {-time.Hour, conflict, waiting},
			{grace, conflict, failed}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runOf(targetNamed("alice"))
			for i, s := range steps {
				r.at(s.since, s.plan)
				if got := r.reported(); got != s.want {
					t.Fatalf("step %d: %q, want %q", i, got, s.want)
				}
			}
		})
	}
}

// A run ends with the time of the next one: the end of the grace, or an earlier one.
func TestGrace_RequeuesAtItsEnd(t *testing.T) {
	h := targetNamed("alice")
	h.Blocked = &Finding{Reason: v1alpha1.ReasonUnknownRole, Message: "It is missing."}
	r := runOf(h)
	plan := lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.ByBlock}
	for since, want := range map[time.Duration]time.Duration{0: grace, 20 * time.Second: 40 * time.Second} {
		r.at(0, plan)
		r.issuer.Clock = clocktesting.NewFakePassiveClock(noon.Add(since))
		if got := r.resultOf(plan).RequeueAfter; got != want {
			t.Errorf("after %s: %s, want %s", since, got, want)
		}
	}
	plan.WakeAt = noon.Add(30 * time.Second)
	if got := r.resultOf(plan).RequeueAfter; got > 30*time.Second {
		t.Errorf("a key ends in 30s, and it runs again in %s", got)
	}
	r.at(grace, plan)
	plan.WakeAt = time.Time{}
	if got := r.resultOf(plan).RequeueAfter; got != 0 {
		t.Errorf("stalled, and it runs again in %s", got)
	}
}
