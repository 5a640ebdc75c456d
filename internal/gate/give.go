package gate

import "keywright.dev/keywright/internal/auth/access"

// MayGive says whether a caller may hand out rights to a key that speaks for a user, or for none: "". Nobody gives what
// they do not hold, and who only says who they are holds nothing that lasts.
func (g *Gate) MayGive(c *Caller, given *access.Given, to string) bool {
	switch c.By {
	case BySession, ByKey:
		return g.Verifier.MayDelegate(c.verdict, given, to)
	case ByProxy:
		return g.Verifier.UserMayDelegate(c.Username, given, to)
	}
	return false
}
