package gate

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// Verifier says who presented a key, and what they may do.
type Verifier interface {
	Verify(presented string, now time.Time) verify.Verdict
	VerifyDigest(digest *pepper.Digest, now time.Time) verify.Verdict
	IsKey(text string) bool
	May(verdict verify.Verdict, r access.Request) bool
	Scopes(verdict verify.Verdict) []string
	UserMay(name string, r access.Request) bool
	IsDisabled(name string) bool
	HasUser(name string) bool
	// MayDelegate and UserMayDelegate say whether rights may be handed out to a key that speaks for a user, or for none: "".
	MayDelegate(verdict verify.Verdict, given *access.Given, to string) bool
	UserMayDelegate(name string, given *access.Given, to string) bool
}

// View is what the server sees of the cluster.
type View interface {
	// Ready is an error until everything has been seen once.
	Ready() error
	// Age is for how long the API server could not be asked.
	Age() time.Duration
}

// Sessions know which key a session was begun with. That key as it stands now is what the session is worth.
type Sessions interface {
	// Key returns nil for a session that there is not, or not any more.
	Key(cookie string, now time.Time) *pepper.Digest
}

// Config is what a gate works with.
type Config struct {
	Verifier Verifier
	View     View
	// Sessions may be nil: there are none.
	Sessions Sessions
	Now      func() time.Time
	Log      *slog.Logger
	Registry prometheus.Registerer
	// Used is told of allowed requests that came with a key, of one object no more often than UsedEvery says; nil:
	// verify.UseInterval. May be nil. Like Seen it must not block: requests wait for it.
	Used      func(verify.Use)
	UsedEvery func() time.Duration
	// Seen is told of people by name who have come without an AdminUser, and from which address. May be nil. Those with a key
	// it is told of as rarely as Used is.
	Seen func(name, from string, now time.Time)
}

// Gate decides. It is safe for concurrent use.
type Gate struct {
	Config
	// rules is nil until the first configuration is there.
	rules   atomic.Pointer[Rules]
	isReady atomic.Bool
	meter   meter
}

// New makes a gate and registers its metrics. It is not ready before it was given rules.
func New(c Config) *Gate {
	return &Gate{Config: c, meter: newMeter(c.Registry)}
}

// Use puts rules in force for every decision that begins afterwards.
func (g *Gate) Use(rules *Rules) { g.rules.Store(rules) }

// Decide answers one request.
func (g *Gate) Decide(a *Asked) Decision {
	rules := g.rules.Load()
	d := g.unable(rules)
	if d.Outcome == Allowed {
		now := g.Now()
		d = g.identify(rules, a.Header, now)
		if d.Outcome == Allowed {
			d.Outcome = g.authorize(rules, &d.Caller, a)
		}
		if d.Outcome == Allowed {
			g.tell(&d.Caller, now, origin{a.Header, a.RemoteAddr, a.IsForwarded || rules.TrustProxyHeaders})
		}
	}
	g.complete(&d)
	return d
}
