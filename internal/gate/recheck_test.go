package gate_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

var errUnseen = errors.New("not everything has been seen")

func TestRecheck_EndsRequestThatWouldChange(t *testing.T) {
	before := config.Runtime{TrustProxyHeaders: true, StaleAfter: time.Hour}
	with := func(change func(*config.Runtime)) func(*fixture) {
		return func(h *fixture) {
			runtime := before
			change(&runtime)
			h.use(t, runtime)
		}
	}
	nothing := func(*fixture) {}
	for name, c := range map[string]struct {
		line   string
		change func(*fixture)
		want   bool
	}{
		"a key":          {bearer(aliceKey), nothing, true},
		"a session":      {session(aliceSession), nothing, true},
		"a trusted name": {"X-Forwarded-User: carol", nothing, true},
		"another's revocation": {
			bearer(aliceKey), func(h *fixture) { h.apiKey("", "Account/ci", ciKey, verify.Revoked) }, true,
		},
		"a setting that is nothing to them": {bearer(aliceKey), with(func(r *config.Runtime) {
			r.AllowedUsers = []string{"alice"}
		}), true},
		"view not ready after it was": {bearer(aliceKey), func(h *fixture) { h.view.err.Store(&errUnseen) }, true},

		"disabled": {
			bearer(aliceKey), func(h *fixture) { h.admin("alice", aliceKey, verify.Disabled, time.Time{}) }, false,
		},
		"demoted": {
			bearer(aliceKey), func(h *fixture) { h.admin("alice", aliceKey, verify.Demoted, time.Time{}) }, false,
		},
		"ended": {bearer(aliceKey), func(h *fixture) { h.admin("alice", aliceKey, verify.Accepted, now) }, false},
		"gone": {
			bearer(ciKey), func(h *fixture) { h.index.Delete(verify.ID{Kind: "APIKey", Namespace: "n", Name: "Account/ci"}) },
			false,
		},
		"the session's key": {
			session(aliceSession), func(h *fixture) { h.admin("alice", unknownKey, verify.Accepted, time.Time{}) }, false,
		},
		"name disabled": {
			"X-Forwarded-User: carol", func(h *fixture) { h.admin("carol", unknownKey, verify.Disabled, time.Time{}) }, false,
		},
		"not trusted": {
			"X-Forwarded-User: carol", with(func(r *config.Runtime) { r.TrustProxyHeaders = false }), false,
		},
		"a proxy that is listed": {
			"X-Forwarded-User: carol", with(func(r *config.Runtime) { r.TrustedProxies = networks("192.0.2.0/24") }), true,
		},
		"a proxy that is not listed": {
			"X-Forwarded-User: carol", with(func(r *config.Runtime) { r.TrustedProxies = networks("10.0.0.0/8") }), false,
		},
		"not listed": {bearer(ciKey), with(func(r *config.Runtime) { r.AllowedUsers = []string{"alice"} }), false},
		"not the owner": {
			bearer(ciKey), with(func(r *config.Runtime) { r.Routes = []routes.Route{{Match: "/a", Owner: "alice"}} }), false,
		},
		"not permitted": {
			bearer(ciKey), with(func(r *config.Runtime) { r.Routes = []routes.Route{{Match: "/a", Action: "certs.burn"}} }),
			false,
		},
		"unmatched": {bearer(ciKey), with(func(r *config.Runtime) { r.DenyUnmatched = true }), false},
		"stale":     {bearer(aliceKey), func(h *fixture) { h.view.age.Store(int64(2 * time.Hour)) }, false},
		"a scope less": {
			bearer(ciKey), func(h *fixture) { h.apiKey("", "Account/ci", ciKey, verify.Accepted, "certs.read") }, false,
		},
		"a permission less": {bearer(bobsAPIKey), func(h *fixture) { h.index.PutRole("reader", access.Role{}) }, false},
		"a role less":       {bearer(bobsAPIKey), func(h *fixture) { h.index.DeleteRole("reader") }, false},
		"a binding less":    {bearer(bobsAPIKey), func(h *fixture) { h.index.DeleteBinding("readers") }, false},
		"a binding that denies keys": {bearer(bobsAPIKey), func(h *fixture) {
			h.index.PutBinding("readers", access.Binding{Role: "reader", Users: []string{"bob"}, DeniesKeys: true})
		}, false},
		"the key of another": {bearer(ciKey), func(h *fixture) {
			h.apiKey("", "Account/ci", unknownKey, verify.Accepted)
			h.admin("zoe", ciKey, verify.Accepted, time.Time{})
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, before)
			request := gate.Request{
				Method: "POST", Host: "app.example", Target: "/a", Header: from(c.line), RemoteAddr: "192.0.2.1:4711",
			}
			d := h.Decide(&request)
			if d.Outcome != gate.Allowed || !h.Recheck(&request, &d.Caller) {
				t.Fatalf("%s, and it may not continue although nothing changed", d.Outcome)
			}
			c.change(h)
			if got := h.Recheck(&request, &d.Caller); got != c.want {
				t.Errorf("may continue: %t, want %t", got, c.want)
			}
		})
	}
}

func TestRecheck_IsNotADecision(t *testing.T) {
	h := newFixture(t)
	request := gate.Request{Method: "GET", Target: "/", Header: from(bearer(aliceKey))}
	d := h.Decide(&request)
	h.log.Take()
	before := h.count(t, "keywright_decisions_total")
	if !h.Recheck(&request, &d.Caller) || h.count(t, "keywright_decisions_total") != before || h.log.Take() != "" {
		t.Error("the recheck was counted or logged as a decision")
	}
}

// count returns the sum of all counters of a name.
func (h *fixture) count(t *testing.T, name string) (sum float64) {
	t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestTrustsProxy(t *testing.T) {
	const peer = "10.0.0.1:4711"
	h := newFixture(t)
	listed, both := networks("10.0.0.0/8"), config.Runtime{TrustProxyHeaders: true}
	both.TrustedProxies = listed
	for _, c := range []struct {
		runtime config.Runtime
		remote  string
		want    bool
	}{
		{plain, peer, false},
		{proxy, peer, true},
		{proxy, "@", true},
		{config.Runtime{TrustedProxies: listed}, peer, true},
		{config.Runtime{TrustedProxies: listed}, "[::ffff:10.0.0.1]:4711", true},
		{config.Runtime{TrustedProxies: listed}, "192.0.2.1:4711", false},
		{config.Runtime{TrustedProxies: listed}, "@", false},
		{both, peer, true},
		{both, "192.0.2.1:4711", false},
	} {
		h.use(t, c.runtime)
		if got := h.TrustsProxy(c.remote); got != c.want {
			t.Errorf("%s, by %+v: %t, want %t", c.remote, c.runtime, got, c.want)
		}
	}
	if gate.New(gate.Config{Registry: prometheus.NewRegistry()}).TrustsProxy(peer) {
		t.Error("trusts a proxy without a configuration")
	}
}

func networks(all ...string) (parsed []netip.Prefix) {
	for _, network := range all {
		parsed = append(parsed, netip.MustParsePrefix(network))
	}
	return parsed
}
