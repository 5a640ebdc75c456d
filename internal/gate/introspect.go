package gate

import (
	"context"
	"log/slog"
)

// Introspect says whether a key would be accepted now that somebody else has presented, and whose it is. The caller is
// the zero Caller when it would not. It counts as a verification, and not as a decision.
func (g *Gate) Introspect(token string) (c Caller, active bool) {
	verdict := g.Verifier.Verify(token, g.Now())
	g.meter.verdict(verdict.Reason)
	if active = verdict.Accepted(); active {
		c = g.bearer(ByKey, verdict)
		g.describe(&c)
	}
	if g.Log.Enabled(context.Background(), slog.LevelDebug) {
		g.Log.Debug("Introspected", "verdict", verdict.Reason.String(), "keyID", verdict.KeyID())
	}
	return c, active
}
