package gate

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/verify"
)

// Identify says who sends a request to Keywright itself, and whether they may do all that they need there. Its
// Outcome is Allowed when that is so; nobody in particular is Unauthenticated.
func (g *Gate) Identify(r *http.Request, needs ...access.Request) Decision {
	rules := g.rules.Load()
	d := g.unable(rules)
	now := g.Now()
	if d.Outcome == Allowed {
		d = g.identify(rules, r.Header, now)
	}
	switch {
	case d.Outcome != Allowed:
	case d.Caller.By == ByNothing:
		d.Outcome = Unauthenticated
	case !g.mayAll(&d.Caller, needs):
		d.Outcome = NotPermitted
	default:
		g.tell(&d.Caller, now, origin{r.Header, r.RemoteAddr, rules.TrustProxyHeaders})
	}
	g.complete(&d)
	return d
}

// unable says why nothing can be decided on, or Allowed.
func (g *Gate) unable(rules *Rules) Decision {
	switch {
	case !g.ready(rules):
		return Decision{Outcome: NotReady}
	case g.isStale(rules):
		return Decision{Outcome: Stale}
	}
	return Decision{Outcome: Allowed}
}

func (g *Gate) isStale(rules *Rules) bool {
	return rules.StaleAfter > 0 && g.View.Age() > rules.StaleAfter
}

// Ready is an error while every request is refused because too little is known, or nothing new for too long.
func (g *Gate) Ready() error {
	if err := g.View.Ready(); err != nil {
		return err
	}
	if rules := g.rules.Load(); rules != nil && g.isStale(rules) {
		return fmt.Errorf("as it was %s ago, and everything is refused when that is over STALE_AFTER=%s: the API server can't be asked",
			g.View.Age().Round(time.Second), rules.StaleAfter)
	}
	return nil
}

// ready stays true once it was. Whoever has looked for rules before there were any goes by that, whatever others have
// found since.
func (g *Gate) ready(rules *Rules) bool {
	if rules == nil {
		return false
	}
	if !g.isReady.Load() && g.View.Ready() == nil {
		g.isReady.Store(true)
	}
	return g.isReady.Load()
}

// identify goes through the ways to be known in the order of COMPAT A. A key that is not valid ends it, whatever else
// was sent.
func (g *Gate) identify(rules *Rules, header http.Header, now time.Time) Decision {
	verdict, presented := g.verify(header, now)
	d := Decision{Outcome: Allowed, Presented: presented, verdict: verdict.Reason}
	if presented && !verdict.Accepted() {
		d.Outcome, d.Caller.verdict = Unauthenticated, verdict
		return d
	}
	if session, found := g.session(header, now); found && (session.Admin || !presented) {
		d.Caller = session
		return d
	}
	if presented {
		d.Caller = g.bearer(ByKey, verdict)
		return d
	}
	g.name(&d, rules, header, rules.TrustUsernames)
	return d
}

// verify says whether a key was presented, and what it is worth.
func (g *Gate) verify(header http.Header, now time.Time) (verdict verify.Verdict, presented bool) {
	key, err := credential.FromHeader(header)
	switch {
	case err == nil:
		verdict = g.Verifier.Verify(key, now)
	case errors.Is(err, credential.ErrNone):
		verdict = verify.Refused(verify.Empty)
	case errors.Is(err, credential.ErrAmbiguous):
		verdict = verify.Refused(verify.Ambiguous)
	default:
		verdict = verify.Refused(verify.Malformed)
	}
	g.meter.verdict(verdict.Reason)
	return verdict, !errors.Is(err, credential.ErrNone)
}

// session returns the caller whose session the headers carry, and whether that session is valid.
func (g *Gate) session(header http.Header, now time.Time) (Caller, bool) {
	return g.sessionCaller(credential.Session(header), now)
}

// sessionCaller gives a session the rights that the key of its login has now. The session ends when another key
// succeeds that one.
func (g *Gate) sessionCaller(cookie string, now time.Time) (Caller, bool) {
	if g.Sessions == nil || cookie == "" {
		return Caller{}, false
	}
	digest := g.Sessions.Key(cookie, now)
	if digest == nil {
		return Caller{}, false
	}
	verdict := g.Verifier.VerifyDigest(digest, now)
	return g.bearer(BySession, verdict), verdict.Current()
}

func (*Gate) bearer(by By, verdict verify.Verdict) Caller {
	identity := verdict.Identity()
	return Caller{By: by, Username: identity.Username, Subject: identity.Subject, Admin: identity.Admin, verdict: verdict}
}

// describe adds what is to be told of a caller with a key.
func (g *Gate) describe(c *Caller) {
	if c.HasKey() {
		c.KeyID = c.verdict.KeyID()
		c.Scopes = g.Verifier.Scopes(c.verdict)
	}
}

// name completes a decision on somebody who presented nothing that counts. A proxy's word on them is saved in their
// browser.
func (g *Gate) name(d *Decision, rules *Rules, header http.Header, takeSaved bool) {
	d.Caller = g.named(rules, header, takeSaved)
	if d.Caller.By == ByProxy && d.Caller.Username != credential.SavedName(header) {
		d.SetCookie = credential.SaveName(d.Caller.Username, !rules.InsecureCookies)
	}
}

// named is whom a trusted proxy says it is, or else, where that is to be taken, who they say they are themselves. Whose
// AdminUser is disabled does not come in by another way; and a name alone never makes an admin.
func (g *Gate) named(rules *Rules, header http.Header, takeSaved bool) (c Caller) {
	if rules.TrustProxyHeaders {
		c.Username, c.By = credential.ProxyUser(header), ByProxy
	}
	if c.Username == "" && takeSaved {
		c.Username, c.By = credential.SavedName(header), rules.bySaved()
	}
	if c.Username == "" || g.Verifier.IsDisabled(c.Username) {
		return Caller{}
	}
	c.Subject = "User/" + c.Username
	return c
}
