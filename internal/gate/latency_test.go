package gate_test

import (
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// Each reading of this clock is a millisecond after the one before.
func ticking() func() time.Time {
	at := now
	return func() time.Time { at = at.Add(time.Millisecond); return at }
}

func TestDecide_MeasuresEachSurface(t *testing.T) {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	g := gate.New(gate.Config{
		Verifier: verify.NewVerifier(&verify.Index{}, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring),
		Now:      ticking(), Log: slog.New(slog.DiscardHandler), Registry: registry,
	})
	for i, surface := range gate.Surfaces() {
		// Without rules the gate refuses, which takes time as well.
		for range i + 1 {
			g.Decide(&gate.Request{Surface: surface})
		}
	}
	g.Decide(&gate.Request{})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, family := range families {
		if family.GetName() != "keywright_decision_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			histogram := metric.GetHistogram()
			counts[metric.GetLabel()[0].GetValue()] = histogram.GetSampleCount()
			if mean := histogram.GetSampleSum() / float64(histogram.GetSampleCount()); mean < 0.00099 || mean > 0.00101 {
				t.Errorf("a decision took %v s, want a millisecond", mean)
			}
		}
	}
	if want := map[string]uint64{"auth": 1, "authz": 2, "ext_authz": 3, "proxy": 4}; !maps.Equal(counts, want) {
		t.Errorf("measured %v", counts)
	}
}
