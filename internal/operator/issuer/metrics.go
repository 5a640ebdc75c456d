package issuer

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
)

// Metrics counts what the operator does with keys. No label identifies a key or a person. A nil *Metrics counts
// nothing. It is safe for concurrent use.
type Metrics struct {
	issued, rotated, adopted, ended, conflicts *prometheus.CounterVec
}

// NewMetrics creates the counters and registers them.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		issued:  counter("keywright_keys_issued_total", "Keys delivered into a Secret, including rotations.", "kind"),
		rotated: counter("keywright_key_rotations_total", "Keys that replaced another, by reason.", "kind", "reason"),
		adopted: counter("keywright_keys_adopted_total", "Keys that a person brought and Keywright adopted.", "kind"),
		ended:   counter("keywright_keys_ended_total", "Keys that are no longer accepted, by reason.", "kind", "reason"),
		conflicts: counter("keywright_conflicts_total",
			"Writes that conflicted with another writer, and Secrets that belong to others.", "kind", "what"),
	}
	for _, c := range []prometheus.Collector{m.issued, m.rotated, m.adopted, m.ended, m.conflicts} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Values of label reason of keys_ended_total, beside the reasons for which all keys of an object are refused.
const (
	endedOverlap   = "overlap"
	endedExpiry    = "expired"
	endedOwnerGone = "owner_gone"
)

// Values of label what of conflicts_total.
const (
	conflictWrite  = "write"
	conflictSecret = "secret"
)

// rotationReasons are the values of label reason of key_rotations_total.
var rotationReasons = map[lifecycle.Cause]string{
	lifecycle.Requested:     "requested",
	lifecycle.Scheduled:     "scheduled",
	lifecycle.After:         "after",
	lifecycle.SecretDeleted: "secret_deleted",
	lifecycle.SecretChanged: "secret_changed",
	lifecycle.SecretRenamed: "secret_renamed",
	lifecycle.RecordChanged: "record_changed",
	lifecycle.Adopted:       "adopted",
}

// rotationReason returns "resumed" for a key that an earlier process began to deliver: its cause is not recorded.
func rotationReason(cause lifecycle.Cause) string {
	if reason, found := rotationReasons[cause]; found {
		return reason
	}
	return "resumed"
}

func (m *Metrics) keyIssued(kind string) {
	if m != nil {
		m.issued.WithLabelValues(kind).Inc()
	}
}

func (m *Metrics) keyRotated(kind, reason string) {
	if m != nil {
		m.rotated.WithLabelValues(kind, reason).Inc()
	}
}

func (m *Metrics) keyAdopted(kind string) {
	if m != nil {
		m.adopted.WithLabelValues(kind).Inc()
	}
}

func (m *Metrics) keysEnded(kind, reason string, keys int) {
	if m != nil {
		m.ended.WithLabelValues(kind, reason).Add(float64(keys))
	}
}

func (m *Metrics) conflict(kind, what string) {
	if m != nil {
		m.conflicts.WithLabelValues(kind, what).Inc()
	}
}

// count updates the metrics after a status write. before is the status before it.
func (r *run) count(plan lifecycle.Plan, before *v1alpha1.KeyHolderStatus) {
	m, kind, now := r.issuer.Metrics, r.target.kind(), r.target.status()
	switch plan.Step {
	case lifecycle.Settle:
		r.countDelivered(before)
	case lifecycle.Drop:
		m.keysEnded(kind, r.endReason(), len(before.Keys)-len(now.Keys))
	case lifecycle.Rebind:
		m.keysEnded(kind, endedOwnerGone, len(before.Keys))
	case lifecycle.Stall:
		conflicts := plan.Stall == lifecycle.SecretConflict || plan.Stall == lifecycle.SecretFight
		if conflicts && !isReported(before, v1alpha1.ReasonSecretConflict) {
			m.conflict(kind, conflictSecret)
		}
	}
	if justExpired(now, before) && len(before.Keys) > 0 {
		m.keysEnded(kind, endedExpiry, 1)
	}
}

func (r *run) countDelivered(before *v1alpha1.KeyHolderStatus) {
	m, kind := r.issuer.Metrics, r.target.kind()
	if r.cause == lifecycle.Adopted {
		m.keyAdopted(kind)
	} else {
		m.keyIssued(kind)
	}
	if lifecycle.Current(convert.Keys(before.Keys)) != nil || endsOldKeys(r.cause) {
		m.keyRotated(kind, rotationReason(r.cause))
	}
}

// endReason is the reason for which the object's keys are refused, or the end of an overlap.
func (r *run) endReason() string {
	if r.target.Spec.Revoked || r.target.Spec.Deleted {
		return strings.ToLower(r.target.Refused.Reason)
	}
	return endedOverlap
}

// isReported reports whether a status has a problem, Stalled or not yet.
func isReported(s *v1alpha1.KeyHolderStatus, reason string) bool {
	ready := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == reason
}
