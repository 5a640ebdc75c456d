package gate

import (
	"context"
	"log/slog"
)

// Introspect says whether a key would be accepted now that somebody else has presented, and whose it is. The caller is
// the zero Caller when it would not. It counts as a verification, and not as a decision; and as a use, from nobody knows
// where: whoever asks was given the key.
func (g *Gate) Introspect(token string) (c Caller, active bool) {
	now := g.Now()
	verdict := g.Verifier.Verify(token, now)
	g.meter.verdict(verdict.Reason)
	if active = verdict.Accepted(); active {
		c = g.bearer(ByKey, verdict)
		g.tell(&c, now, origin{})
		g.describe(&c)
	}
	if g.Log.Enabled(context.Background(), slog.LevelDebug) {
		g.Log.Debug("Introspected", "verdict", verdict.Reason.String(), "keyID", verdict.KeyID())
	}
	return c, active
}
