package gate

// Still says whether a request that was let in may go on: whether it would be let in now, and the app be told the same
// of its caller. One who has become somebody else, or lost a scope that the app was told of, has to begin anew. It counts
// as a verification, and not as a decision.
func (g *Gate) Still(a *Asked, admitted *Caller) bool {
	rules := g.rules.Load()
	if g.unable(rules).Outcome != Allowed {
		return false
	}
	d := g.identify(rules, a.Header, g.Now())
	if d.Outcome != Allowed || g.authorize(rules, &d.Caller, a) != Allowed {
		return false
	}
	g.describe(&d.Caller)
	return d.Caller.Identity() == admitted.Identity()
}

// TrustsProxy says that every request comes by a proxy in front, whose word on it is believed: TRUST_PROXY_HEADERS.
func (g *Gate) TrustsProxy() bool {
	rules := g.rules.Load()
	return rules != nil && rules.TrustProxyHeaders
}
