// Package meter counts what the operator does with keys, for Prometheus. Nothing in it names a key or a person.
package meter

import "github.com/prometheus/client_golang/prometheus"

// Meter counts. The nil Meter counts nothing. It is safe for concurrent use.
type Meter struct {
	issued, rotated, adopted, ended, conflicts *prometheus.CounterVec
}

// New makes a meter and registers its counters.
func New(registerer prometheus.Registerer) (*Meter, error) {
	m := &Meter{
		issued:    counter("keys_issued_total", "Keys delivered into a Secret, those of rotations included.", "kind"),
		rotated:   counter("key_rotations_total", "Keys that took another's place, by why.", "kind", "reason"),
		adopted:   counter("keys_adopted_total", "Keys that a person brought and that were taken over.", "kind"),
		ended:     counter("keys_ended_total", "Keys that are accepted no more, by why.", "kind", "reason"),
		conflicts: counter("conflicts_total", "Writes that lost against somebody else's, and Secrets that are somebody else's.", "kind", "what"),
	}
	for _, c := range []prometheus.Collector{m.issued, m.rotated, m.adopted, m.ended, m.conflicts} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "keywright", Name: name, Help: help}, labels)
}

// Issued counts a key delivered into a Secret.
func (m *Meter) Issued(kind string) {
	if m != nil {
		m.issued.WithLabelValues(kind).Inc()
	}
}

// Rotated counts a key that took another's place.
func (m *Meter) Rotated(kind, reason string) {
	if m != nil {
		m.rotated.WithLabelValues(kind, reason).Inc()
	}
}

// Adopted counts a key that a person brought.
func (m *Meter) Adopted(kind string) {
	if m != nil {
		m.adopted.WithLabelValues(kind).Inc()
	}
}

// Ended counts keys that are accepted no more.
func (m *Meter) Ended(kind, reason string, keys int) {
	if m != nil {
		m.ended.WithLabelValues(kind, reason).Add(float64(keys))
	}
}

// Conflict counts a write that lost, or a Secret that is somebody else's.
func (m *Meter) Conflict(kind, what string) {
	if m != nil {
		m.conflicts.WithLabelValues(kind, what).Inc()
	}
}
