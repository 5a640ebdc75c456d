package gate

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
)

// meter has one counter for each reason and outcome, looked up once: doing so on each request would cost as much as
// the verification.
type meter struct {
	verdicts [256]prometheus.Counter
	outcomes [outcomes]prometheus.Counter
}

func newMeter(registry prometheus.Registerer) (m meter) {
	verdicts := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_verifications_total",
		Help: "Verifications by verdict. Outside, all refusals look alike.",
	}, []string{"verdict"})
	decisions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keywright_decisions_total",
		Help: "Requests decided on, by outcome.",
	}, []string{"outcome"})
	registry.MustRegister(verdicts, decisions)
	for _, reason := range verify.Reasons() {
		m.verdicts[reason] = verdicts.WithLabelValues(reason.String())
	}
	for o := range outcomes {
		m.outcomes[o] = decisions.WithLabelValues(o.String())
	}
	return m
}

func (m *meter) verdict(reason verify.Reason) { m.verdicts[reason].Inc() }

// complete counts and logs a decision, and adds what only those need who pass.
func (g *Gate) complete(d *Decision) {
	g.meter.outcomes[d.Outcome].Inc()
	if d.Outcome == Allowed {
		g.describe(&d.Caller)
	}
	g.record(d)
}

func (g *Gate) record(d *Decision) {
	if g.Log.Enabled(context.Background(), slog.LevelDebug) {
		g.Log.Debug("Decided", "outcome", d.Outcome.String(), "by", d.Caller.By.String(), "subject", d.Caller.Subject,
			"verdict", d.verdict.String(), "keyID", d.Caller.verdict.KeyID())
	}
}
