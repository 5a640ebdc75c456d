package gate

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/telemetry/traces"
)

// View is the server's copy of the cluster's objects.
type View interface {
	// Ready returns an error until every object has been received once.
	Ready() error
	// Age returns how long ago the view was last known to be complete.
	Age() time.Duration
}

// Sessions finds the key that a session was begun with.
type Sessions interface {
	// Key returns nil for an unknown or ended session.
	Key(cookie string, now time.Time) *pepper.Digest
}

// Config is what a gate needs.
type Config struct {
	Verifier *verify.Verifier
	View     View
	// Sessions may be nil: then no session is valid.
	Sessions Sessions
	Now      func() time.Time
	Log      *slog.Logger
	Registry prometheus.Registerer
	// Uses receives allowed requests that presented a key or session. May be nil.
	Uses UseRecorder
	// SeenUsers receives callers with a name and without an AdminUser. May be nil.
	SeenUsers SeenUserRecorder
	// OverBudget receives keys whose budgets refuse a request or warn of it. May be nil.
	OverBudget OverBudgetRecorder
	// Tracer begins the spans of requests on every surface. May be nil.
	Tracer *traces.Tracer
}

// Gate decides on requests. It is safe for concurrent use.
type Gate struct {
	Config
	// rules is nil until the first configuration arrives.
	rules   atomic.Pointer[Rules]
	isReady atomic.Bool
	meter   meter
}

// New returns a gate and registers its metrics. The gate is not ready until Use is called.
func New(c Config) *Gate {
	return &Gate{Config: c, meter: newMeter(c.Registry)}
}

// Use applies rules to every decision that begins afterwards.
func (g *Gate) Use(rules *Rules) { g.rules.Store(rules) }

// Decide decides on one request.
func (g *Gate) Decide(r *Request) Decision {
	now := g.Now()
	rules := g.rules.Load()
	d := g.available(rules)
	if d.Outcome == Allowed {
		from := r.origin(rules)
		d = g.identify(&from, now)
		if d.Outcome == Allowed {
			d.Outcome = g.authorize(rules, &d.Caller, r)
		}
		if d.Outcome == Allowed {
			g.checkBudgets(&d, now)
		}
		if d.Outcome == Allowed {
			g.recordUse(&d.Caller, now, &from)
		}
	}
	g.complete(&d)
	if r.Surface != unnamedSurface {
		g.meter.seconds[r.Surface].Observe(g.Now().Sub(now).Seconds())
	}
	return d
}

// Recheck reports whether an admitted request may continue: whether it would be admitted again, with the same identity
// headers. The headers differ if the credential now stands for another caller, or if the caller has lost a scope. A
// budget that has been used up since ends no request: what the request costs is spent already. Recheck counts as a
// verification and not as a decision.
func (g *Gate) Recheck(r *Request, admitted *Caller) bool {
	rules := g.rules.Load()
	if g.available(rules).Outcome != Allowed {
		return false
	}
	from := r.origin(rules)
	d := g.identify(&from, g.Now())
	if d.Outcome != Allowed || g.authorize(rules, &d.Caller, r) != Allowed {
		return false
	}
	g.describe(&d.Caller)
	return d.Caller.Identity() == admitted.Identity()
}

// available returns NotReady or Stale while the gate cannot decide on anything, else Allowed.
func (g *Gate) available(rules *Rules) Decision {
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

// Ready returns an error while the gate refuses every request because its view is incomplete or too old.
func (g *Gate) Ready() error {
	if err := g.View.Ready(); err != nil {
		return err
	}
	if rules := g.rules.Load(); rules != nil && g.isStale(rules) {
		return fmt.Errorf("the view of the cluster is %s old, more than STALE_AFTER=%s, so every request is refused",
			g.View.Age().Round(time.Second), rules.StaleAfter)
	}
	return nil
}

// ready reports whether the gate has rules and has had a complete view once. A request that loaded nil rules is not
// ready, even if rules have arrived since.
func (g *Gate) ready(rules *Rules) bool {
	if rules == nil {
		return false
	}
	if !g.isReady.Load() && g.View.Ready() == nil {
		g.isReady.Store(true)
	}
	return g.isReady.Load()
}

// SecureCookies reports whether cookies are for HTTPS only: SECURE_COOKIES.
func (g *Gate) SecureCookies() bool {
	return !g.rulesOrDefault().InsecureCookies
}

// IsKey reports whether a text is a recorded key, even a refused one. It does not count as a verification.
func (g *Gate) IsKey(text string) bool { return g.Verifier.IsKey(text) }
