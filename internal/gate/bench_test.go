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

// mostOfBudgets is the limit of the cost of a decision with a budget, in times the cost of one without, in the same
// run.
const mostOfBudgets = 1.05

// BenchmarkBudgets compares decisions on a key without budgets, with one, and with as many as it can have. All are
// measured in turns, and the best turns are compared, because other load can only add to a time.
func BenchmarkBudgets(b *testing.B) {
	h := newFixture(b)
	const one, most = "a-key-with-one-budget-of-its-own", "a-key-with-all-budgets-it-can-have"
	four := []budget.Budget{
		tokensBudget("a", 1<<40, budget.Hour), tokensBudget("b", 1<<40, budget.Day),
		tokensBudget("c", 1<<40, budget.Month), tokensBudget("d", 1<<40, budget.Month),
	}
	roles := []string{"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"}
	for _, role := range roles {
		h.index.PutRole(role, access.Role{Budgets: four})
	}
	put := func(key string, budgets []budget.Budget, roles ...string) {
		h.index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: key}, verify.KeyObject{
			Identity: verify.Identity{Subject: "Account/ci"}, Standing: verify.Accepted, UID: key,
			Rights: &access.Rights{Scopes: []string{"certs.read", "certs.write"}, Roles: roles},
			Keys:   []verify.Key{{Digest: h.ring.Digest(key)}}, Budgets: budgets,
		})
	}
	put(one, four[:1])
	put(most, four, roles...)
	h.spend(1, 1)
	g := gate.New(gate.Config{
		Verifier: h.Verifier, View: h.view, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Registry: prometheus.NewRegistry(), Uses: dropped{},
	})
	g.Use(newRules(b, config.Runtime{}))
	for _, a := range h.Verifier.Accounts() {
		for _, p := range budget.Periods() {
			a.Set(p, time.Now(), budget.Used{Tokens: 1}, 0)
		}
	}
	for b.Loop() {
		best := bestTurns(b, g, ciKey, one, most)
		b.ReportMetric(best[0], "ns/decision")
		b.ReportMetric(best[1]/best[0], "x-one-budget")
		b.ReportMetric(best[2]/best[0], "x-36-budgets")
		if best[1] > mostOfBudgets*best[0] {
			b.Errorf("with a budget: %.0f ns, want at most %.2f times %.0f ns", best[1], mostOfBudgets, best[0])
		}
	}
}

// bestTurns returns the shortest time of a decision for each key, in nanoseconds.
func bestTurns(b *testing.B, g *gate.Gate, keys ...string) []float64 {
	b.Helper()
	all := make([]func(), len(keys))
	for i, key := range keys {
		request := gate.Request{Method: http.MethodGet, Host: "h", Target: "/", Header: from(bearer(key))}
		all[i] = func() {
			if d := g.Decide(&request); d.Outcome != gate.Allowed {
				b.Fatal(key, d.Outcome)
			}
		}
	}
	return fastest(all...)
}

// dropped takes uses and drops them.
type dropped struct{}

func (dropped) Record(verify.Use)       {}
func (dropped) Interval() time.Duration { return verify.UseInterval }
