package gate_test

import (
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/pepper"
)

// A decision applies one configuration from beginning to end. Each of these two refuses bob's write in its own way, and
// a mixture would admit it.
func TestDecide_UsesOneConfigurationThroughout(t *testing.T) {
	h := newFixture(t)
	listed := newRules(t, config.Runtime{AllowedUsers: []string{"bob"}, DenyUnmatched: true})
	routed := newRules(t, config.Runtime{AllowedUsers: []string{"zoe"}, Routes: someRoutes[3:]})
	h.Use(listed)
	var done atomic.Bool
	var readers sync.WaitGroup
	seen := [2]map[gate.Outcome]int{{}, {}}
	for i := range seen {
		readers.Go(func() {
			for !done.Load() {
				d := h.ask(http.MethodPost, "/elsewhere", from(bearer(bobsAPIKey)))
				seen[i][d.Outcome]++
				if d.Outcome != gate.Unmatched && d.Outcome != gate.NotListed {
					t.Error(describe(&d))
					return
				}
				if d := h.ask(http.MethodGet, "/", from(bearer(unknownKey))); d.Outcome != gate.Unauthenticated {
					t.Error(describe(&d))
					return
				}
				runtime.Gosched()
			}
		})
	}
	for range 500 {
		h.Use(routed)
		if d := h.ask(http.MethodPost, "/elsewhere", from(bearer(bobsAPIKey))); d.Outcome != gate.NotListed {
			t.Error("in force when Use returns: ", describe(&d))
		}
		h.Use(listed)
		if d := h.ask(http.MethodPost, "/elsewhere", from(bearer(bobsAPIKey))); d.Outcome != gate.Unmatched {
			t.Error("in force when Use returns: ", describe(&d))
		}
		runtime.Gosched()
	}
	done.Store(true)
	readers.Wait()
	if len(seen[0])+len(seen[1]) == 0 {
		t.Error("there were no requests meanwhile")
	}
}

// meanwhile runs while a session is looked up.
type meanwhile func()

func (m meanwhile) Key(string, time.Time) *pepper.Digest {
	m()
	return nil
}

func TestUse_AppliesFromTheNextDecision(t *testing.T) {
	h := newFixture(t)
	before, after := newRules(t, config.Runtime{DenyUnmatched: true}), newRules(t, config.Runtime{AnonymousReads: true})
	h.Use(before)
	h.Sessions = meanwhile(func() { h.Use(after) })
	header := from(bearer(ciKey), session(noSession))
	if d := h.ask(http.MethodGet, "/", header); d.Outcome != gate.Unmatched {
		t.Error("this one: ", describe(&d))
	}
	if d := h.ask(http.MethodGet, "/", header); d.Outcome != gate.Allowed {
		t.Error("the next one: ", describe(&d))
	}
}

// Until there are rules, every request is refused with 503.
func TestUse_FirstRulesDuringRequests(t *testing.T) {
	for range 20 {
		h := newFixture(t)
		h.Use(nil)
		h.view.fail(errors.New("not yet"))
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for isReady := false; !isReady; {
					switch d := h.ask(http.MethodGet, "/", from(bearer(aliceKey))); d.Outcome {
					case gate.Allowed:
						isReady = true
					case gate.NotReady:
						runtime.Gosched()
					default:
						t.Error(describe(&d))
						return
					}
				}
			})
		}
		h.view.fail(nil)
		h.use(t, config.Runtime{})
		asking.Wait()
	}
}

// A revocation counts for every decision that begins after it.
func TestDecide_HonoursRevocationDuringRequests(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{TrustProxyHeaders: true})
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				for _, header := range []http.Header{
					from(bearer(aliceKey)), from(session(aliceSession)), from("X-Forwarded-User: alice"),
				} {
					if d := h.ask(http.MethodGet, "/", header); d.Outcome != gate.Allowed && d.Outcome != gate.Unauthenticated {
						t.Error(describe(&d))
						return
					}
				}
			}
		})
	}
	for range 300 {
		for _, standing := range []verify.Reason{verify.Disabled, verify.Accepted} {
			h.admin("alice", aliceKey, standing, now.AddDate(1, 0, 0))
			for _, header := range []http.Header{
				from(bearer(aliceKey)), from(session(aliceSession)), from("X-Forwarded-User: ALICE"),
			} {
				if d := h.ask(http.MethodGet, "/", header); (d.Outcome == gate.Allowed) != (standing == verify.Accepted) {
					t.Errorf("%s: %s", standing, describe(&d))
				}
			}
		}
	}
	done.Store(true)
	readers.Wait()
}
