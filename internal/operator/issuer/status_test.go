package issuer

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// conditionsOf returns <status>/<reason> of each condition, by type.
func conditionsOf(h *Target) map[string]string {
	out := map[string]string{}
	for _, c := range h.status().Conditions {
		out[c.Type] = string(c.Status) + "/" + c.Reason
	}
	return out
}

func runOf(h *Target) *run {
	return &run{issuer: &Issuer{Clock: clocktesting.NewFakePassiveClock(noon)}, target: h}
}

// atRestWith, stalledFor and reconcilingFor return the expected conditions.
func atRestWith(ready, active string) map[string]string {
	return map[string]string{"Ready": ready, "Active": active}
}

func stalledFor(reason, active string) map[string]string {
	out := atRestWith("False/"+reason, active)
	out["Stalled"] = "True/" + reason
	return out
}

func reconcilingFor(reason, active string) map[string]string {
	out := atRestWith("False/"+reason, active)
	out["Reconciling"] = "True/" + reason
	return out
}

func TestSetStatus_Conditions(t *testing.T) {
	current := lifecycle.Key{ID: "c", Digest: "c", State: lifecycle.StateCurrent}
	pending := lifecycle.Key{ID: "p", Digest: "p", State: lifecycle.StatePending}
	refuse := func(reason string) func(*Target) {
		return func(h *Target) { h.Refused = &Finding{Reason: reason, Message: "Because."} }
	}
	demote := func(h *Target) { refuse("Demoted")(h); h.Spec.Revoked = true }
	block := func(h *Target) { h.Blocked = &Finding{Reason: "PepperLost", Message: "It is lost."} }
	for name, c := range map[string]struct {
		plan    lifecycle.Plan
		change  func(*Target)
		want    map[string]string
		message string
	}{
		"a first pending key": {
			plan: lifecycle.Plan{Step: lifecycle.Record, Cause: lifecycle.FirstIssue, Keys: []lifecycle.Key{pending}},
			want: reconcilingFor("Issuing", "False/Issuing"), message: "Writing a key into its Secret (first issue).",
		},
		"a pending successor": {
			plan:    lifecycle.Plan{Step: lifecycle.Record, Cause: lifecycle.Requested, Keys: []lifecycle.Key{current, pending}},
			want:    reconcilingFor("Rotating", "True/Accepted"),
			message: "(rotation requested); the old one is accepted meanwhile",
		},
		"a key in its Secret": {
			plan: lifecycle.Plan{Step: lifecycle.Settle, Keys: []lifecycle.Key{current}, Delivered: true},
			want: atRestWith("True/Issued", "True/Accepted"), message: "The key is in Secret alice-admin-key.",
		},
		"rest": {
			plan: lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{current}, Delivered: true},
			want: atRestWith("True/Issued", "True/Accepted"), message: "The key is in Secret alice-admin-key.",
		},
		"rest without a Secret": {
			plan: lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{current}, Lost: lifecycle.SecretDeleted},
			want: atRestWith("True/SecretGone", "True/Accepted"),
			message: "no Secret holds it: its Secret was deleted. " +
				"To get a new key in a new Secret, set annotation keywright.dev/rotate",
		},
		"rest with a key returned by the API": {
			plan:   lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{current}},
			change: func(h *Target) { h.Spec.ByAPI = true },
			want:   atRestWith("True/Issued", "True/Accepted"), message: "The key was returned by the API.",
		},
		"rest while disabled": {
			plan:   lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{current}, Delivered: true},
			change: refuse("Disabled"),
			want:   atRestWith("True/Issued", "False/Disabled"), message: "The key is in Secret alice-admin-key.",
		},
		"a demoted user whose key is being revoked": {
			plan: lifecycle.Plan{Step: lifecycle.Drop}, change: demote,
			want:    reconcilingFor("Revoking", "False/Demoted"),
			message: "No key is accepted any more; the Secret is being removed.",
		},
		"a demoted user at rest": {
			plan: lifecycle.Plan{Step: lifecycle.Rest}, change: demote,
			want: atRestWith("True/Demoted", "False/Demoted"), message: "Because.",
		},
		"ended keys without an earlier condition": {
			plan: lifecycle.Plan{Step: lifecycle.Drop},
			want: reconcilingFor("Issuing", "False/NoKey"), message: "The recorded keys have ended.",
		},
		"a foreign Secret": {
			plan: lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.SecretConflict},
			want: reconcilingFor("SecretConflict", "False/NoKey"),
			message: "delete it, name another in spec.secret.name, " +
				`or hand its key over with annotation keywright.dev/adopt: "true"`,
		},
		"a foreign Secret in the way of a rename": {
			plan:    lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.SecretConflict, Keys: []lifecycle.Key{current}},
			want:    reconcilingFor("SecretConflict", "True/Accepted"),
			message: "Secret alice-admin-key exists and does not belong to Keywright",
		},
		"an unusable key": {
			plan:    lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.InvalidKey},
			want:    stalledFor("InvalidKey", "False/NoKey"),
			message: `The key to adopt, "key" in Secret alice-admin-key, is empty.`,
		},
		"a retired key": {
			plan:    lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.RetiredKey, Keys: []lifecycle.Key{current}},
			want:    stalledFor("RetiredKey", "True/Accepted"),
			message: "put another key into it, or remove annotation keywright.dev/adopt",
		},
		"no key from the API": {
			plan: lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.AwaitingKey},
			want: stalledFor("AwaitingKey", "False/NoKey"), message: "rotate the key through the API",
		},
		"a missing role": {
			plan: lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.ByBlock, Keys: []lifecycle.Key{current}},
			change: func(h *Target) {
				h.Blocked = &Finding{Reason: "UnknownRole", Message: "It is missing."}
			},
			want: reconcilingFor("UnknownRole", "True/Accepted"), message: "It is missing.",
		},
		"a key of another object": {
			plan:    lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.KeyTaken, Keys: []lifecycle.Key{current}},
			want:    reconcilingFor("KeyInUse", "False/KeyInUse"),
			message: "request a new key",
		},
		"a lost pepper": {
			plan: lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.ByBlock, Keys: []lifecycle.Key{current}}, change: block,
			want: stalledFor("PepperLost", "True/Accepted"), message: "It is lost.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := targetNamed("alice")
			h.Object.SetGeneration(3)
			if c.change != nil {
				c.change(h)
			}
			r := runOf(h)
			r.unusable = keyformat.ErrEmpty
			r.setStatus(c.plan)
			if got := conditionsOf(h); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			ready := meta.FindStatusCondition(h.status().Conditions, "Ready")
			if !strings.Contains(ready.Message, c.message) {
				t.Errorf("Ready has message %q, want %q", ready.Message, c.message)
			}
			checkConditions(t, h)
		})
	}
}

// checkConditions checks that every condition has the current generation, a time and a message.
func checkConditions(t *testing.T, h *Target) {
	t.Helper()
	if h.status().ObservedGeneration != h.Object.GetGeneration() {
		t.Errorf("status.observedGeneration %d", h.status().ObservedGeneration)
	}
	for _, c := range h.status().Conditions {
		if c.ObservedGeneration != h.Object.GetGeneration() || !c.LastTransitionTime.Time.Equal(noon) || c.Message == "" {
			t.Errorf("%s: generation %d, at %v, message %q", c.Type, c.ObservedGeneration, c.LastTransitionTime, c.Message)
		}
	}
}

func TestSetStatus_EndOfOverlapKeepsConditions(t *testing.T) {
	current := lifecycle.Key{ID: "c", Digest: "c", State: lifecycle.StateCurrent}
	for name, before := range map[string]lifecycle.Plan{
		"ready":   {Step: lifecycle.Rest, Keys: []lifecycle.Key{current}, Delivered: true},
		"stalled": {Step: lifecycle.Stall, Stall: lifecycle.RetiredKey, Keys: []lifecycle.Key{current}},
		"refused": {Step: lifecycle.Stall, Stall: lifecycle.LostPepper, Keys: []lifecycle.Key{current}},
		"waiting": {Step: lifecycle.Stall, Stall: lifecycle.KeyTaken, Keys: []lifecycle.Key{current}},
		"working": {Step: lifecycle.Record, Keys: []lifecycle.Key{current, {ID: "p", State: lifecycle.StatePending}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := targetNamed("alice")
			r := runOf(h)
			r.setStatus(before)
			want := conditionsOf(h)
			r.setStatus(lifecycle.Plan{Step: lifecycle.Drop, Keys: []lifecycle.Key{current}})
			if got := conditionsOf(h); !maps.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		})
	}
}

func TestSetStatus_ConditionKeepsTransitionTime(t *testing.T) {
	h := targetNamed("alice")
	r := runOf(h)
	r.setStatus(lifecycle.Plan{Step: lifecycle.Record, Keys: []lifecycle.Key{{ID: "p", State: lifecycle.StatePending}}})
	later := noon.Add(time.Hour)
	r.issuer.Clock = clocktesting.NewFakePassiveClock(later)
	r.setStatus(lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.RetiredKey})
	checkSince(t, h, map[string]time.Time{"Ready": noon, "Active": noon, "Stalled": later})
	last := later.Add(time.Hour)
	r.issuer.Clock = clocktesting.NewFakePassiveClock(last)
	r.setStatus(lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{{ID: "c", State: lifecycle.StateCurrent}}})
	checkSince(t, h, map[string]time.Time{"Ready": last, "Active": last})
}

func checkSince(t *testing.T, h *Target, since map[string]time.Time) {
	t.Helper()
	for kind, want := range since {
		c := meta.FindStatusCondition(h.status().Conditions, kind)
		if !c.LastTransitionTime.Time.Equal(want) {
			t.Errorf("%s since %v, want %v", kind, c.LastTransitionTime, want)
		}
	}
}

// A step leaves the fields of other steps unchanged.
func TestSetStatus_Fields(t *testing.T) {
	h := targetNamed("alice")
	h.Spec.RotateRequest = "now"
	next := noon.Add(time.Hour + time.Millisecond)
	r := runOf(h)
	r.plaintextID = "adopted"

	r.setStatus(
		lifecycle.Plan{
			Step:         lifecycle.Record,
			Keys:         []lifecycle.Key{{ID: "p", State: lifecycle.StatePending}},
			Delivered:    true,
			NextRotation: next,
		},
	)
	s := h.status()
	if s.LastRotateRequest != "now" || s.AdoptedKeyIDs != nil || s.SecretName != "" || s.NextRotationAt != nil {
		t.Errorf("after Record: %+v", s)
	}
	pending := []lifecycle.Key{{ID: "p", State: lifecycle.StatePending}}
	r.setStatus(lifecycle.Plan{Step: lifecycle.Record, Keys: pending, Adopt: true})
	if !slices.Equal(s.AdoptedKeyIDs, []string{"adopted"}) {
		t.Errorf("after an adoption: %+v", s)
	}
	h.Spec.RotateRequest = "again"
	r.setStatus(
		lifecycle.Plan{
			Step: lifecycle.Settle, Keys: []lifecycle.Key{{ID: "p", State: lifecycle.StateCurrent}}, Delivered: true,
			NextRotation: next,
		},
	)
	if s.LastRotateRequest != "now" || s.SecretName != "alice-admin-key" ||
		!s.NextRotationAt.Equal(&metav1.Time{Time: noon.Add(time.Hour + time.Second)}) {
		t.Errorf("after Settle: %+v", s)
	}
	r.setStatus(lifecycle.Plan{Step: lifecycle.Drop})
	if s.SecretName != "alice-admin-key" || s.NextRotationAt == nil {
		t.Errorf("after Drop: %+v", s)
	}
	r.setStatus(lifecycle.Plan{Step: lifecycle.Rest})
	if s.SecretName != "" || s.NextRotationAt != nil {
		t.Errorf("after Rest without a Secret: %+v", s)
	}
}

// Every cause of a stall has a reason and its own message.
func TestStallFinding_ExplainsEveryCause(t *testing.T) {
	h := targetNamed("alice")
	h.Blocked = &Finding{Reason: "Blocked", Message: "m"}
	seen := map[string]bool{}
	for cause := lifecycle.ByBlock; cause <= lifecycle.AwaitingKey; cause++ {
		f := stallFinding(&run{target: h, unusable: keyformat.ErrEmpty}, cause)
		if seen[f.Message] || f.Reason == "" || f.Message == "" {
			t.Errorf("cause %d: %+v", cause, f)
		}
		seen[f.Message] = true
	}
}

func TestAppendAdopted_KeepsLatest(t *testing.T) {
	var ids []string
	for i := range maxAdopted + 3 {
		ids = appendAdopted(ids, string(rune('a'+i)))
	}
	if len(ids) != maxAdopted || ids[0] != "d" {
		t.Fatalf("%q", ids)
	}
}
