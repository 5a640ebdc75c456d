package issuer

import (
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

func TestEffective(t *testing.T) {
	const role = "AccessRole/reader"
	instance := lifecycle.Limits{MaxTTL: 9 * time.Hour, DefaultTTL: 5 * time.Hour}
	for name, c := range map[string]struct {
		spec lifecycle.Spec
		want v1alpha1.Effective
	}{
		"nothing":            {lifecycle.Spec{}, v1alpha1.Effective{Overlap: "0s"}},
		"an overlap":         {lifecycle.Spec{Overlap: time.Hour}, v1alpha1.Effective{Overlap: "1h"}},
		"half of a schedule": {lifecycle.Spec{Overlap: 61 * time.Second / 2}, v1alpha1.Effective{Overlap: "31s"}},
		"a ttl": {lifecycle.Spec{TTL: 24 * time.Hour},
			v1alpha1.Effective{TTL: "24h", TTLFrom: "spec.ttl", Overlap: "0s"}},
		"a limit": {lifecycle.Spec{MaxTTL: time.Hour},
			v1alpha1.Effective{TTL: "1h", TTLFrom: role, Overlap: "0s"}},
		"a ttl below the limit": {lifecycle.Spec{TTL: time.Hour, MaxTTL: 2 * time.Hour},
			v1alpha1.Effective{TTL: "1h", TTLFrom: "spec.ttl", Overlap: "0s"}},
		"a ttl equal to the limit": {lifecycle.Spec{TTL: time.Hour, MaxTTL: time.Hour},
			v1alpha1.Effective{TTL: "1h", TTLFrom: "spec.ttl", Overlap: "0s"}},
		"a default": {lifecycle.Spec{Limits: instance}, v1alpha1.Effective{TTL: "5h", TTLFrom: "DEFAULT_TTL", Overlap: "0s"}},
		"no default for an end": {lifecycle.Spec{Limits: instance, ExpiresAt: noon},
			v1alpha1.Effective{TTL: "9h", TTLFrom: "MAX_TTL", Overlap: "0s"}},
		"a ttl above that of the instance": {lifecycle.Spec{Limits: instance, TTL: 24 * time.Hour},
			v1alpha1.Effective{TTL: "9h", TTLFrom: "MAX_TTL", Overlap: "0s"}},
		"a ttl above the limit": {lifecycle.Spec{TTL: 3 * time.Hour, MaxTTL: 2 * time.Hour},
			v1alpha1.Effective{TTL: "2h", TTLFrom: role, Overlap: "0s"}},
	} {
		h := targetNamed("alice")
		h.Spec = c.spec
		h.Spec.MaxTTLFrom = "reader"
		if got := effectiveOf(h); *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}

// While nothing may be issued, the status keeps what it shows: a limit may be unknown.
func TestEffective_StaysWhileBlocked(t *testing.T) {
	h := targetNamed("alice")
	h.Spec.TTL = time.Hour
	r := runOf(h)
	r.setStatus(lifecycle.Plan{Step: lifecycle.Rest})
	h.Spec.TTL, h.Blocked = 2*time.Hour, &Finding{Reason: v1alpha1.ReasonUnknownRole, Message: "It is missing."}
	r.setStatus(lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.ByBlock})
	if got := h.status().Effective.TTL; got != "1h" {
		t.Errorf("%s", got)
	}
}

// The server's reason becomes the reason of condition Active, if it is one.
func TestActivity_OfAKeyThatTheServerRefuses(t *testing.T) {
	current := lifecycle.Key{ID: "c", Digest: "c", State: lifecycle.StateCurrent}
	ended := current
	ended.ExpiresAt = noon
	old := lifecycle.Key{ID: "o", Digest: "o", State: lifecycle.StateOverlapping, ExpiresAt: noon.Add(time.Hour)}
	for name, c := range map[string]struct {
		key     lifecycle.Key
		refused []v1alpha1.RefusedKey
		want    string
		message string
	}{
		"none": {current, nil, "True/Accepted", "The key is accepted."},
		"the current": {current, []v1alpha1.RefusedKey{{ID: "c", Reason: "Leaked"}}, "False/Leaked",
			"The server refuses key c: Leaked."},
		"an overlapping one": {current, []v1alpha1.RefusedKey{{ID: "o", Reason: "Leaked"}}, "True/Accepted",
			"The key is accepted."},
		"one of the past": {current, []v1alpha1.RefusedKey{{ID: "x", Reason: "Leaked"}}, "True/Accepted",
			"The key is accepted."},
		"an ended one": {ended, []v1alpha1.RefusedKey{{ID: "c", Reason: "Leaked"}}, "False/Expired", "The key expired at"},
		"for no reason in CamelCase": {current, []v1alpha1.RefusedKey{{ID: "c", Reason: "it leaked\n"}}, "False/Refused",
			`The server refuses key c: "it leaked\n".`},
		"for a reason of acceptance": {current, []v1alpha1.RefusedKey{{ID: "c", Reason: "Accepted"}}, "False/Refused",
			`The server refuses key c: "Accepted".`},
	} {
		t.Run(name, func(t *testing.T) {
			h := targetNamed("alice")
			h.status().Usage.Refused = c.refused
			r := runOf(h)
			r.setStatus(lifecycle.Plan{Step: lifecycle.Rest, Keys: []lifecycle.Key{c.key, old}, Delivered: true})
			if got := conditionsOf(h); got["Active"] != c.want || got["Ready"] != "True/Issued" {
				t.Errorf("%v", got)
			}
			if _, got := activity(h, noon); !strings.HasPrefix(got.Message, c.message) {
				t.Errorf("%q", got.Message)
			}
			checkConditions(t, h)
		})
	}
}
