package issuer

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// counted returns every counter that is not zero, by name and labels.
func counted(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "keywright_")
			for _, l := range m.GetLabel() {
				if l.GetName() != "kind" {
					name += " " + l.GetValue()
				}
			}
			out[name] = m.GetCounter().GetValue()
		}
	}
	return out
}

func recordedKeys(t *testing.T, n int) []v1alpha1.KeyStatus {
	t.Helper()
	var recorded []v1alpha1.KeyStatus
	for i := range n {
		k := v1alpha1.KeyStatus{Digest: ringOf(t, "p").Digest(fmt.Sprint(i)).String(), State: v1alpha1.KeyOverlapping}
		if i == 0 {
			k.State = v1alpha1.KeyCurrent
		}
		recorded = append(recorded, k)
	}
	return recorded
}

func conditionOf(kind string, is metav1.ConditionStatus, reason string) []metav1.Condition {
	return []metav1.Condition{{Type: kind, Status: is, Reason: reason}}
}

func TestCount_OfStatusChange(t *testing.T) {
	type status = v1alpha1.KeyHolderStatus
	settle, drop := lifecycle.Plan{Step: lifecycle.Settle}, lifecycle.Plan{Step: lifecycle.Drop}
	rest := lifecycle.Plan{Step: lifecycle.Rest}
	stall := func(cause lifecycle.StallCause) lifecycle.Plan {
		return lifecycle.Plan{Step: lifecycle.Stall, Stall: cause}
	}
	withKeys := func(n int) status { return status{Keys: recordedKeys(t, n)} }
	ended := conditionOf(v1alpha1.ConditionActive, metav1.ConditionFalse, v1alpha1.ReasonExpired)
	expired := status{Keys: recordedKeys(t, 1), Conditions: ended}
	conflict := status{
		Conditions: conditionOf(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonSecretConflict),
	}
	none := map[string]float64{}
	for name, c := range map[string]struct {
		plan     lifecycle.Plan
		cause    lifecycle.Cause
		was, now status
		refused  *Finding
		want     map[string]float64
	}{
		"the first key": {settle, lifecycle.FirstIssue, status{}, withKeys(1), nil,
			map[string]float64{"keys_issued_total": 1}},
		"a rotation": {settle, lifecycle.Scheduled, withKeys(1), withKeys(1), nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total scheduled": 1}},
		"a lost Secret, whose key the first write dropped": {settle, lifecycle.SecretDeleted, status{}, withKeys(1), nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total secret_deleted": 1}},
		"a changed Secret": {settle, lifecycle.SecretChanged, status{}, withKeys(1), nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total secret_changed": 1}},
		"an adopted key": {settle, lifecycle.Adopted, status{}, withKeys(1), nil,
			map[string]float64{"keys_adopted_total": 1}},
		"an issue begun by an earlier process": {settle, "", withKeys(1), withKeys(1), nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total resumed": 1}},
		"ended overlaps": {drop, "", withKeys(3), withKeys(1), nil,
			map[string]float64{"keys_ended_total overlap": 2}},
		"revoked": {drop, "", withKeys(2), status{}, &Finding{Reason: v1alpha1.ReasonRevoked},
			map[string]float64{"keys_ended_total revoked": 2}},
		"an expiry": {rest, "", withKeys(1), expired, nil,
			map[string]float64{"keys_ended_total expired": 1}},
		"an expiry that was counted before": {rest, "", expired, expired, nil, none},
		"an expiry before the first key":    {rest, "", status{}, status{Conditions: ended}, nil, none},
		"a Secret of another owner": {stall(lifecycle.SecretConflict), "", status{}, conflict, nil,
			map[string]float64{"conflicts_total secret": 1}},
		"the same Secret again": {stall(lifecycle.SecretConflict), "", conflict, conflict, nil, none},
		"another stall":         {stall(lifecycle.InvalidKey), "", status{}, status{}, nil, none},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			counts, err := NewMetrics(registry)
			if err != nil {
				t.Fatal(err)
			}
			h := targetNamed("alice")
			h.Refused, h.Spec.Revoked = c.refused, c.refused != nil
			*h.status() = c.now
			r := runOf(h)
			r.issuer.Metrics, r.cause = counts, c.cause
			r.count(c.plan, &c.was)
			if got := counted(t, registry); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestMetrics_EachMethodCountsOnce(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m, err := NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	m.keyIssued("AdminUser")
	m.keyRotated("AdminUser", "rotation_requested")
	m.keyRotated("AdminUser", "rotation_requested")
	m.keyAdopted("APIKey")
	m.keysEnded("APIKey", "overlap", 3)
	m.conflict("APIKey", "write")
	want := `
# HELP keywright_conflicts_total Writes that conflicted with another writer, and Secrets that belong to others.
# TYPE keywright_conflicts_total counter
keywright_conflicts_total{kind="APIKey",what="write"} 1
# HELP keywright_key_rotations_total Keys that replaced another, by reason.
# TYPE keywright_key_rotations_total counter
keywright_key_rotations_total{kind="AdminUser",reason="rotation_requested"} 2
# HELP keywright_keys_adopted_total Keys that a person brought and Keywright adopted.
# TYPE keywright_keys_adopted_total counter
keywright_keys_adopted_total{kind="APIKey"} 1
# HELP keywright_keys_ended_total Keys that are no longer accepted, by reason.
# TYPE keywright_keys_ended_total counter
keywright_keys_ended_total{kind="APIKey",reason="overlap"} 3
# HELP keywright_keys_issued_total Keys delivered into a Secret, including rotations.
# TYPE keywright_keys_issued_total counter
keywright_keys_issued_total{kind="AdminUser"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestMetrics_NilCountsNothing(*testing.T) {
	var m *Metrics
	m.keyIssued("AdminUser")
	m.keyRotated("AdminUser", "rotation_requested")
	m.keyAdopted("APIKey")
	m.keysEnded("APIKey", "overlap", 3)
	m.conflict("APIKey", "write")
}

func TestNewMetrics_RefusesToRegisterTwice(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := NewMetrics(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := NewMetrics(registry); err == nil {
		t.Error("registered twice")
	}
}
