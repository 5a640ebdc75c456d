package gate_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

const (
	notReady = "not_ready"
	stale    = "stale"
)

func (v *view) fail(err error) {
	if err == nil {
		v.err.Store(nil)
		return
	}
	v.err.Store(&err)
}

// everybody has one request for each kind of credential: none may matter before the view is complete.
var everybody = map[string]http.Header{
	"an admin": from(bearer(aliceKey)), "a session": from(session(aliceSession)), "a bad key": from(bearer(unknownKey)),
	"nonsense": from("Authorization: x"), "anonymous": from(), "a name": from("X-Forwarded-User: carol"),
}

func (h *fixture) expectAll(t *testing.T, what, want string) {
	t.Helper()
	for name, header := range everybody {
		request := gate.Request{Method: http.MethodGet, Host: "h", Target: "/", Header: header}
		decided, identified := h.Decide(&request), h.Identify(header)
		if describe(&decided) != want || describe(&identified) != want {
			t.Errorf("%s, %s: got %s and %s, want %s", what, name, describe(&decided), describe(&identified), want)
		}
		if h.Recheck(&request, &decided.Caller) {
			t.Errorf("%s, %s: may continue", what, name)
		}
		if decided.SetCookie != "" || decided.Presented {
			t.Errorf("%s, %s: %+v", what, name, decided)
		}
	}
}

// On a 401, git drops its key and a gateway reports a wrong key. Neither is certain before the view is complete.
func TestNotReady_NeverRefusesAKey(t *testing.T) {
	h := newFixture(t)
	h.Gate = gate.New(gate.Config{
		Verifier: h.Verifier, View: h.view, Sessions: h.Sessions, Now: h.Now, Log: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(),
	})
	h.expectAll(t, "without rules", notReady)
	h.view.fail(errors.New("apikeys have not been seen yet"))
	h.expectAll(t, "without either", notReady)
	rules := newRules(t, config.Runtime{TrustProxyHeaders: true})
	h.Use(rules)
	h.expectAll(t, "without a view", notReady)
	if err := h.Ready(); err == nil || err.Error() != "apikeys have not been seen yet" {
		t.Error(err)
	}

	h.view.fail(nil)
	if d := h.ask(http.MethodGet, "/", from(bearer(aliceKey))); d.Outcome != gate.Allowed || h.Ready() != nil {
		t.Error("after the first view: ", describe(&d), h.Ready())
	}
	h.view.fail(errors.New("never again"))
	if d := h.ask(http.MethodGet, "/", from(bearer(aliceKey))); d.Outcome != gate.Allowed {
		t.Error("once ready, not ready again: ", describe(&d))
	}
	// A request that loaded nil rules may find the gate ready by now.
	h.Use(nil)
	h.expectAll(t, "looked too early", notReady)
	h.Use(rules)
	if d := h.ask(http.MethodGet, "/", from(bearer(aliceKey))); d.Outcome != gate.Allowed {
		t.Error("with rules again: ", describe(&d))
	}
}

func TestStale_RefusesEveryRequest(t *testing.T) {
	h := newFixture(t)
	for name, c := range map[string]struct {
		after, age time.Duration
		stale      bool
	}{
		"no bound": {0, 1000 * time.Hour, false}, "fresh": {time.Minute, 0, false},
		"at the bound": {time.Minute, time.Minute, false},
		"beyond":       {time.Minute, time.Minute + 1, true}, "far beyond": {time.Minute, 1000 * time.Hour, true},
	} {
		h.use(t, config.Runtime{StaleAfter: c.after, TrustProxyHeaders: true})
		h.view.age.Store(int64(c.age))
		d := h.ask(http.MethodGet, "/", from(bearer(aliceKey)))
		if (d.Outcome == gate.Stale) != c.stale || c.stale != (h.Ready() != nil) {
			t.Errorf("%s: %s, %v", name, describe(&d), h.Ready())
		}
		if c.stale {
			h.expectAll(t, name, stale)
		}
	}
	h.view.age.Store(int64(90 * time.Second))
	h.use(t, config.Runtime{StaleAfter: time.Minute})
	if err := h.Ready(); err == nil || !strings.Contains(err.Error(), "1m30s") ||
		!strings.Contains(err.Error(), "STALE_AFTER=1m0s") {
		t.Error(err)
	}
	// A changed bound counts at once, and so does a current view.
	h.use(t, config.Runtime{StaleAfter: time.Hour})
	if d := h.ask(http.MethodGet, "/", from(bearer(aliceKey))); d.Outcome != gate.Allowed {
		t.Error(describe(&d))
	}
	h.use(t, config.Runtime{StaleAfter: time.Minute})
	h.view.age.Store(0)
	if d := h.ask(http.MethodGet, "/", from(bearer(aliceKey))); d.Outcome != gate.Allowed || h.Ready() != nil {
		t.Error(describe(&d), h.Ready())
	}
}
