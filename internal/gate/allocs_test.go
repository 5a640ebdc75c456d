//go:build !race

package gate_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

const budgetedKey = "a-key-with-budgets-that-last"

// The Decision and the key id as text have to be allocated. Under the race detector a sync.Pool drops items on purpose.
func TestDecide_Allocations(t *testing.T) {
	h := newFixture(t)
	h.index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: "budgeted"}, verify.KeyObject{
		Identity: verify.Identity{Subject: "Account/budgeted"}, Standing: verify.Accepted, UID: "budgeted",
		Rights:  &access.Rights{Scopes: []string{"certs.read"}},
		Keys:    []verify.Key{{Digest: h.ring.Digest(budgetedKey)}},
		Budgets: []budget.Budget{tokensBudget("daily", 10, budget.Day), tokensBudget("monthly", 100, budget.Month)},
	})
	h.spend(1, 1)
	g := gate.New(gate.Config{
		Verifier: h.Verifier, View: h.view, Sessions: h.Sessions, Now: h.Now, Log: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(),
		Uses:     dropUses{}, SeenUsers: dropNames{},
	})
	g.Use(newRules(t, config.Runtime{AllowedUsers: []string{"zoe"}}))
	cases := map[string]struct {
		header http.Header
		most   float64
	}{
		"an admin's key":  {from(bearer(aliceKey)), 3},
		"in X-API-Key":    {from("X-Api-Key: " + aliceKey), 3},
		"as a password":   {from(basic("git", aliceKey)), 5},
		"as a user":       {from(basic(aliceKey, "")), 5},
		"a program's key": {from(bearer(ciKey)), 3},
		"a user's key":    {from(bearer(bobsAPIKey)), 4},
		"with budgets":    {from(bearer(budgetedKey)), 3},
		"an unknown key":  {from(bearer(unknownKey)), 1},
		"a malformed key": {from(bearer("?")), 1},
		"an ended key":    {from(bearer(erinKey)), 1},
		"anonymous":       {from(), 2},
	}
	measure := func() {
		for name, c := range cases {
			request := gate.Request{Method: http.MethodGet, Host: "h", Target: "/", Header: c.header}
			if n := testing.AllocsPerRun(1000, func() { g.Decide(&request) }); n > c.most {
				t.Errorf("%s: %v allocations, want at most %v", name, n, c.most)
			}
		}
	}
	measure()
	cases["in api-key"] = cases["in X-API-Key"]
	cases["in api-key"].header["Api-Key"] = []string{aliceKey}
	g.Use(newRules(t, config.Runtime{AllowedUsers: []string{"zoe"}, Credentials: every.Names()}))
	measure()
}

type dropUses struct{}

func (dropUses) Record(verify.Use)       {}
func (dropUses) Interval() time.Duration { return verify.UseInterval }

type dropNames struct{}

func (dropNames) Record(string, string, time.Time) {}
