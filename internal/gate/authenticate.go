package gate

import (
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

// Authenticate verifies a key that was not presented in the headers of a request: one typed into the login form, or one
// that a gateway asks about. Its Outcome is Allowed, Unauthenticated, NotReady or Stale. from is the client address to
// record with the use, or "" where it is unknown. Authenticate counts as a verification and not as a decision.
func (g *Gate) Authenticate(key, from string) Decision {
	return g.authenticate(from, func(now time.Time) Decision {
		verdict := g.Verifier.Verify(key, now)
		g.meter.verdict(verdict.Reason)
		d := Decision{Presented: true, verdict: verdict.Reason}
		if verdict.Accepted() {
			d.Outcome, d.Caller = Allowed, g.bearer(ByKey, verdict)
		} else {
			d.Caller.verdict = verdict
		}
		return d
	})
}

// AuthenticateSession is Authenticate for the value of a session cookie.
func (g *Gate) AuthenticateSession(cookie, from string) Decision {
	return g.authenticate(from, func(now time.Time) (d Decision) {
		d.verdict = verify.Empty
		if caller, valid := g.sessionCaller(cookie, now); valid {
			d.Outcome, d.Caller = Allowed, caller
		}
		return d
	})
}

func (g *Gate) authenticate(from string, decide func(now time.Time) Decision) Decision {
	d := g.unable(g.rules.Load())
	if d.Outcome == Allowed {
		now := g.Now()
		if d = decide(now); d.Outcome == Allowed {
			g.tell(&d.Caller, now, origin{remote: from})
			g.describe(&d.Caller)
		}
	}
	g.record(&d)
	return d
}
