package gate_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/telemetry/traces"
)

// mostOfHistogram bounds what the histogram of a surface adds to a decision, as a ratio.
const mostOfHistogram = 1.5

// BenchmarkTelemetry measures a decision without its histogram, with it, and with traces that record nothing, in turns.
func BenchmarkTelemetry(b *testing.B) {
	h := newFixture(b)
	newGate := func(tracer *traces.Tracer) *gate.Gate {
		g := gate.New(gate.Config{
			Verifier: h.Verifier, View: h.view, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Registry: prometheus.NewRegistry(), Uses: dropped{}, Tracer: tracer,
		})
		g.Use(newRules(b, config.Runtime{}))
		return g
	}
	plain, traced := newGate(nil), newGate(traces.New(noop.NewTracerProvider()))
	ctx := b.Context()
	decide := func(g *gate.Gate, surface gate.Surface) func() {
		request := gate.Request{
			Surface: surface, Method: http.MethodGet, Host: "h", Target: "/", Header: from(bearer(ciKey)),
		}
		return func() {
			d := g.Decide(&request)
			g.Trace(ctx, &d)
		}
	}
	var unmeasured gate.Surface
	for b.Loop() {
		best := fastest(decide(plain, unmeasured), decide(plain, gate.ForwardAuth), decide(traced, gate.ForwardAuth))
		b.ReportMetric(best[0], "ns/decision")
		b.ReportMetric(best[1]-best[0], "ns/histogram")
		b.ReportMetric(best[2]-best[1], "ns/unsampled-span")
		if best[1] > mostOfHistogram*best[0] {
			b.Errorf("with its histogram: %.0f ns, want at most %.2f times %.0f ns", best[1], mostOfHistogram, best[0])
		}
	}
}

// fastest returns the shortest time of each function, in nanoseconds.
func fastest(all ...func()) []float64 {
	const turns, calls = 200, 500
	best := make([]float64, len(all))
	for range turns {
		for i, call := range all {
			start := time.Now()
			for range calls {
				call()
			}
			if spent := float64(time.Since(start).Nanoseconds()) / calls; best[i] == 0 || spent < best[i] {
				best[i] = spent
			}
		}
	}
	return best
}
