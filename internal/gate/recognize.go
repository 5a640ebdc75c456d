package gate

import (
	"net/http"
	"time"
)

// Recognize says who sends a request to the management surfaces, where Identify would refuse (COMPAT A): a key that is not
// valid, whatever is wrong with it, counts as none, and who comes with none may be known by other ways. A saved name says
// who is shown, even where it counts for nothing else. Its Outcome is Allowed, be the caller nobody, or NotReady or Stale.
// It counts as a verification, and not as a decision.
func (g *Gate) Recognize(r *http.Request) Decision {
	rules := g.rules.Load()
	d := g.unable(rules)
	if d.Outcome == Allowed {
		now := g.Now()
		d = g.known(rules, r.Header, now)
		g.tell(&d.Caller, now, origin{r.Header, r.RemoteAddr, rules.TrustProxyHeaders})
		g.describe(&d.Caller)
	}
	g.record(&d)
	return d
}

// known goes through the ways to be known in the order of COMPAT A.
func (g *Gate) known(rules *Rules, header http.Header, now time.Time) Decision {
	verdict, presented := g.verify(header, now)
	d := Decision{Outcome: Allowed, Presented: presented, verdict: verdict.Reason}
	session, found := g.session(header, now)
	switch {
	case found && (session.Admin || !verdict.Accepted()):
		d.Caller = session
	case verdict.Accepted():
		d.Caller = g.bearer(ByKey, verdict)
	default:
		g.name(&d, rules, header, true)
	}
	return d
}

// SecureCookies says that cookies are for HTTPS only: SECURE_COOKIES.
func (g *Gate) SecureCookies() bool {
	rules := g.rules.Load()
	return rules == nil || !rules.InsecureCookies
}

// IsKey says that a text is a key on record, be it accepted or refused. It counts as nothing.
func (g *Gate) IsKey(text string) bool { return g.Verifier.IsKey(text) }
