package gate

import (
	"net/http"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

func (g *Gate) usedEvery() time.Duration {
	if g.UsedEvery == nil {
		return verify.UseInterval
	}
	return g.UsedEvery()
}

// tell tells of a caller who was let in. Who has a key is told of so seldom that it costs a request next to nothing: that
// is found out first, with no lock.
func (g *Gate) tell(c *Caller, now time.Time, from origin) {
	switch {
	case g.Used == nil && g.Seen == nil:
	case !c.HasKey():
		g.tellOfName(c.Username, now, &from)
	default:
		if every := g.usedEvery(); c.verdict.ShouldReportUse(now, every) {
			g.tellOfKey(c, now, every, &from)
		}
	}
}

func (g *Gate) tellOfKey(c *Caller, now time.Time, every time.Duration, from *origin) {
	v := &c.verdict
	if v.UID() == "" {
		return // the bootstrap key's: no object tells of it, and nobody has seen admin
	}
	address := from.address()
	if g.Used != nil {
		g.Used(verify.Use{Object: v.ID(), UID: v.UID(), KeyID: v.KeyID(), At: now, From: address})
	}
	if g.Seen != nil && v.ShouldReportUser(now, every) {
		g.Seen(c.Username, address, now)
	}
}

func (g *Gate) tellOfName(name string, now time.Time, from *origin) {
	if name != "" && g.Seen != nil && !g.Verifier.HasUser(name) {
		g.Seen(name, from.address(), now)
	}
}

// origin is where a request came from, as far as its server knows.
type origin struct {
	header http.Header
	remote string
	// isForwarded says that X-Forwarded-For is to be believed.
	isForwarded bool
}

// ClientAddress is the address of a client of Keywright itself, or "" when it can't be told. With TRUST_PROXY_HEADERS it
// is the one that the proxy in front tells.
func (g *Gate) ClientAddress(r *http.Request) string {
	from := origin{r.Header, r.RemoteAddr, g.TrustsProxy()}
	return from.address()
}
