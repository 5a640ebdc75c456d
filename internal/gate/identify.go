package gate

import (
	"errors"
	"net/http"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// Identify decides on a request to Keywright itself whose caller must be known and hold all of needs. A refused key or
// an anonymous caller is Unauthenticated.
func (g *Gate) Identify(r *http.Request, needs ...access.Request) Decision {
	rules := g.rules.Load()
	d := g.available(rules)
	now, from := g.Now(), originOf(r, rules)
	if d.Outcome == Allowed {
		d = g.identify(&from, now)
	}
	switch {
	case d.Outcome != Allowed:
	case d.Caller.Credential == CredentialNone:
		d.Outcome = Unauthenticated
	case !g.mayAll(&d.Caller, needs):
		d.Outcome = NotPermitted
	default:
		g.recordUse(&d.Caller, now, &from)
	}
	g.complete(&d)
	return d
}

// IdentifyOrAnonymous finds the caller of a management page (docs/compatibility.md, "Who is calling"). Where
// Identify refuses, IdentifyOrAnonymous falls back: a refused key counts as no key, and the other credentials are
// tried, the last one a saved name that holds no rights. A caller whose key names a missing role is identified, and
// holds no rights either. The Outcome is Allowed, even for an anonymous caller, or
// else NotReady or Stale. The call counts as a verification and not as a decision.
func (g *Gate) IdentifyOrAnonymous(r *http.Request) Decision {
	rules := g.rules.Load()
	d := g.available(rules)
	if d.Outcome == Allowed {
		now, from := g.Now(), originOf(r, rules)
		d = g.identifyOrAnonymous(&from, now)
		g.recordUse(&d.Caller, now, &from)
		g.describe(&d.Caller)
	}
	g.log(&d)
	return d
}

// Authenticate verifies a key that did not come in the headers of a request: one typed into the login form, or one
// that a gateway asks about. Its Outcome is Allowed, Unauthenticated, NotReady or Stale. from is the client
// address to record with the use, or "" if it is unknown. Authenticate counts as a verification and not as a
// decision.
func (g *Gate) Authenticate(key, from string) Decision {
	return g.authenticate(from, func(now time.Time) Decision {
		verdict := g.Verifier.Verify(key, now)
		g.meter.verdict(verdict.Reason)
		d := Decision{Presented: true, verdict: verdict.Reason}
		if verdict.Accepted() {
			d.Outcome, d.Caller = Allowed, callerOf(CredentialKey, verdict)
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

// Resume identifies the caller of a key that was verified before and whose digest was kept: for an operation that the
// caller left to a later request. It is not a use of the key. Its Outcome is that of Authenticate.
func (g *Gate) Resume(digest *pepper.Digest) Decision {
	d := g.available(g.rules.Load())
	if d.Outcome != Allowed {
		return d
	}
	verdict := g.Verifier.VerifyDigest(digest, g.Now())
	d = Decision{verdict: verdict.Reason}
	if verdict.Accepted() {
		d.Outcome, d.Caller = Allowed, callerOf(CredentialKey, verdict)
		g.describe(&d.Caller)
	}
	return d
}

func (g *Gate) authenticate(from string, verified func(now time.Time) Decision) Decision {
	rules := g.rules.Load()
	d := g.available(rules)
	if d.Outcome == Allowed {
		now := g.Now()
		if d = verified(now); d.Outcome == Allowed {
			g.recordUse(&d.Caller, now, &origin{rules: rules, remote: from})
			g.describe(&d.Caller)
		}
	}
	g.log(&d)
	return d
}

// identify tries the kinds of credential in order. A refused key ends the search, whatever else was sent. A caller
// whose key names a missing role is NotPermitted to do anything.
func (g *Gate) identify(from *origin, now time.Time) Decision {
	verdict, presented := g.verify(from, now)
	d := Decision{Outcome: Allowed, Presented: presented, Forms: from.forms, verdict: verdict.Reason}
	if presented && !verdict.Identified() {
		d.Outcome, d.Caller.verdict = Unauthenticated, verdict
		return d
	}
	session, valid := g.sessionCaller(credential.Session(from.header), now)
	switch {
	case valid && (session.Admin || !presented):
		d.Caller = session
	case presented:
		d.Caller = callerOf(CredentialKey, verdict)
	default:
		g.setNamedCaller(&d, from, from.rules.TrustUsernames)
	}
	if d.Caller.lacksRole() {
		d.Outcome = NotPermitted
	}
	return d
}

// identifyOrAnonymous tries the kinds of credential in order and skips a refused key.
func (g *Gate) identifyOrAnonymous(from *origin, now time.Time) Decision {
	verdict, presented := g.verify(from, now)
	d := Decision{Outcome: Allowed, Presented: presented, Forms: from.forms, verdict: verdict.Reason}
	session, valid := g.sessionCaller(credential.Session(from.header), now)
	switch {
	case valid && (session.Admin || !verdict.Identified()):
		d.Caller = session
	case verdict.Identified():
		d.Caller = callerOf(CredentialKey, verdict)
	default:
		g.setNamedCaller(&d, from, true)
	}
	return d
}

// verify returns the verdict on the key in the headers, and whether they carry one.
func (g *Gate) verify(from *origin, now time.Time) (verdict verify.Verdict, presented bool) {
	key, err := credential.FromHeader(from.header, from.forms)
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

// sessionCaller returns the caller of a session, with the present rights of the key that the session was begun with,
// and whether the session is valid. It is not once that key has a successor.
func (g *Gate) sessionCaller(cookie string, now time.Time) (Caller, bool) {
	if g.Sessions == nil || cookie == "" {
		return Caller{}, false
	}
	digest := g.Sessions.Key(cookie, now)
	if digest == nil {
		return Caller{}, false
	}
	verdict := g.Verifier.VerifyDigest(digest, now)
	return callerOf(CredentialSession, verdict), verdict.Current()
}

func callerOf(kind CredentialKind, verdict verify.Verdict) Caller {
	id := verdict.Identity()
	return Caller{Credential: kind, Username: id.Username, Subject: id.Subject, Admin: id.Admin, verdict: verdict}
}

// describe adds the details of a caller with a key that the app and the logs receive.
func (g *Gate) describe(c *Caller) {
	if c.HasKey() {
		c.KeyID = c.verdict.KeyID()
		c.Scopes = g.Verifier.Scopes(c.verdict)
	}
}

// setNamedCaller completes a decision on a request without an accepted key or session. A name from a proxy is saved in
// the caller's browser.
func (g *Gate) setNamedCaller(d *Decision, from *origin, acceptSavedName bool) {
	d.Caller = g.namedCaller(from, acceptSavedName)
	if d.Caller.Credential == CredentialProxy && d.Caller.Username != credential.SavedName(from.header) {
		d.SetCookie = credential.SaveName(d.Caller.Username, !from.rules.InsecureCookies)
	}
}

// namedCaller takes the name from a trusted proxy, or else the saved name if acceptSavedName is set, and spells it as
// the AdminUser does, if there is one. A user whose AdminUser is disabled stays anonymous, and a name alone never makes
// an admin.
func (g *Gate) namedCaller(from *origin, acceptSavedName bool) (c Caller) {
	if from.trustsName() {
		c.Username, c.Credential = credential.ProxyUser(from.header), CredentialProxy
	}
	if c.Username == "" && acceptSavedName {
		c.Username, c.Credential = credential.SavedName(from.header), from.rules.savedNameKind()
	}
	if c.Username == "" {
		return Caller{}
	}
	var disabled bool
	if c.Username, disabled = g.Verifier.Named(c.Username); disabled {
		return Caller{}
	}
	c.Subject = "User/" + c.Username
	return c
}
