package issuer

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/meter"
)

// counted is every counter that is not at zero, by its name and labels.
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
		recorded = append(recorded, v1alpha1.KeyStatus{Digest: ringOf(t, "p").Digest(fmt.Sprint(i)).String()})
	}
	return recorded
}

func conditionOf(kind string, is metav1.ConditionStatus, reason string) []metav1.Condition {
	return []metav1.Condition{{Type: kind, Status: is, Reason: reason}}
}

func TestCount(t *testing.T) {
	expired := conditionOf(v1alpha1.ConditionActive, metav1.ConditionFalse, v1alpha1.ReasonExpired)
	conflict := conditionOf(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonSecretConflict)
	type status = v1alpha1.KeyHolderStatus
	for name, c := range map[string]struct {
		plan     lifecycle.Plan
		cause    lifecycle.Cause
		was, now status
		refused  *Finding
		want     map[string]float64
	}{
		"the first key": {lifecycle.Plan{Step: lifecycle.Settle}, lifecycle.FirstIssue, status{}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_issued_total": 1}},
		"a rotation": {lifecycle.Plan{Step: lifecycle.Settle}, lifecycle.Scheduled, status{Keys: recordedKeys(t, 1)}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total scheduled": 1}},
		"a lost Secret, whose key went with the first write": {lifecycle.Plan{Step: lifecycle.Settle}, lifecycle.SecretDeleted, status{}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total secret_deleted": 1}},
		"a changed one": {lifecycle.Plan{Step: lifecycle.Settle}, lifecycle.SecretChanged, status{}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total secret_changed": 1}},
		"a key brought": {lifecycle.Plan{Step: lifecycle.Settle}, lifecycle.Adopted, status{}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_adopted_total": 1}},
		"what a process before this one began": {lifecycle.Plan{Step: lifecycle.Settle}, "", status{Keys: recordedKeys(t, 1)}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_issued_total": 1, "key_rotations_total resumed": 1}},
		"overlaps that are over": {lifecycle.Plan{Step: lifecycle.Drop}, "", status{Keys: recordedKeys(t, 3)}, status{Keys: recordedKeys(t, 1)}, nil,
			map[string]float64{"keys_ended_total overlap": 2}},
		"revoked": {lifecycle.Plan{Step: lifecycle.Drop}, "", status{Keys: recordedKeys(t, 2)}, status{}, &Finding{Reason: v1alpha1.ReasonRevoked},
			map[string]float64{"keys_ended_total revoked": 2}},
		"the end": {lifecycle.Plan{Step: lifecycle.Rest}, "", status{Keys: recordedKeys(t, 1)}, status{Keys: recordedKeys(t, 1), Conditions: expired}, nil,
			map[string]float64{"keys_ended_total expired": 1}},
		"the end, told before": {lifecycle.Plan{Step: lifecycle.Rest}, "", status{Keys: recordedKeys(t, 1), Conditions: expired}, status{Keys: recordedKeys(t, 1), Conditions: expired}, nil,
			map[string]float64{}},
		"an end before the first key": {lifecycle.Plan{Step: lifecycle.Rest}, "", status{}, status{Conditions: expired}, nil,
			map[string]float64{}},
		"somebody else's Secret": {lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.SecretConflict}, "", status{}, status{Conditions: conflict}, nil,
			map[string]float64{"conflicts_total secret": 1}},
		"the same one still": {lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.SecretConflict}, "", status{Conditions: conflict}, status{Conditions: conflict}, nil,
			map[string]float64{}},
		"another stall": {lifecycle.Plan{Step: lifecycle.Stall, Stall: lifecycle.InvalidKey}, "", status{}, status{}, nil,
			map[string]float64{}},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			counts, err := meter.New(registry)
			if err != nil {
				t.Fatal(err)
			}
			h := holderNamed("alice")
			h.Refused, h.Spec.Revoked = c.refused, c.refused != nil
			*h.status() = c.now
			r := runOf(h)
			r.Meter, r.cause = counts, c.cause
			r.count(c.plan, &c.was)
			if got := counted(t, registry); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
