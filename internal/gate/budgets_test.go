package gate_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// teamKey is a key with a budget of its own and one of its role, and teamSession a session that was begun with it.
const teamKey = bobsAPIKey

var teamID = verify.ID{Kind: "APIKey", Namespace: "n", Name: "User/bob"}

func tokensBudget(name string, amount int64, period budget.Period) budget.Budget {
	return budget.Budget{Name: name, Unit: budget.Tokens, Amount: amount, Period: period}
}

// newBudgetFixture returns a gate where bob's key has a budget of 10 tokens a day, and shares 100 tokens a month.
func newBudgetFixture(t testing.TB) *fixture {
	t.Helper()
	h := newFixture(t)
	h.index.PutRole("team", access.Role{Budgets: []budget.Budget{tokensBudget("monthly", 100, budget.Month)}})
	h.index.Put(teamID, verify.KeyObject{
		Identity: verify.Identity{Username: "bob", Subject: "User/bob"}, Standing: verify.Accepted, UID: "User/bob",
		Rights:  &access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"team"}},
		Keys:    []verify.Key{{Digest: h.ring.Digest(teamKey)}},
		Budgets: []budget.Budget{tokensBudget("daily", 10, budget.Day)},
	})
	return h
}

// spend sets what the key and the role have used.
func (h *fixture) spend(byKey, byRole int64) {
	for _, a := range h.Verifier.Accounts() {
		used := budget.Used{Tokens: byKey}
		if a.Owner.Role != "" {
			used.Tokens = byRole
		}
		for _, p := range budget.Periods() {
			a.Set(p, now, used, 0)
		}
	}
}

func TestDecide_RefusesOverBudget(t *testing.T) {
	for name, c := range map[string]struct {
		byKey, byRole int64
		header        http.Header
		want          gate.Outcome
	}{
		"nothing used":              {0, 0, from(bearer(teamKey)), gate.Allowed},
		"less than all":             {9, 99, from(bearer(teamKey)), gate.Allowed},
		"its own used up":           {10, 10, from(bearer(teamKey)), gate.OverBudget},
		"its role's used up":        {0, 100, from(bearer(teamKey)), gate.OverBudget},
		"as a password":             {10, 10, from(basic("x", teamKey)), gate.OverBudget},
		"in X-Api-Key":              {10, 10, from("X-Api-Key: " + teamKey), gate.OverBudget},
		"in a session":              {10, 10, from(session(bobSession)), gate.OverBudget},
		"another key":               {10, 100, from(bearer(ciKey)), gate.Allowed},
		"an admin's key":            {10, 100, from(bearer(aliceKey)), gate.Allowed},
		"an admin's session beside": {10, 100, from(bearer(teamKey), session(aliceSession)), gate.Allowed},
		"the bootstrap key":         {10, 100, from(bearer(bootstrapKey)), gate.Allowed},
		"an unknown key":            {10, 100, from(bearer(unknownKey)), gate.Unauthenticated},
	} {
		h := newBudgetFixture(t)
		h.spend(c.byKey, c.byRole)
		if d := h.ask(http.MethodGet, "/", c.header); d.Outcome != c.want {
			t.Errorf("%s: %s, want %s", name, d.Outcome, c.want)
		}
	}
}

func TestDecide_LetsThroughWhileCountersAreUnknown(t *testing.T) {
	h := newBudgetFixture(t)
	if d := h.ask(http.MethodGet, "/", from(bearer(teamKey))); d.Outcome != gate.Allowed {
		t.Error(d.Outcome)
	}
}

func TestDecide_EndsTheRefusalWithThePeriod(t *testing.T) {
	h := newBudgetFixture(t)
	h.spend(10, 0)
	at := budget.Day.EndOf(now).Add(-time.Nanosecond)
	h.Now = func() time.Time { return at }
	if d := h.ask(http.MethodGet, "/", from(bearer(teamKey))); d.Outcome != gate.OverBudget {
		t.Error(d.Outcome)
	}
	at = budget.Day.EndOf(now)
	if d := h.ask(http.MethodGet, "/", from(bearer(teamKey))); d.Outcome != gate.Allowed {
		t.Error(d.Outcome)
	}
}

// The reply names the budget, so only a caller who may do what the request asks for gets it.
func TestDecide_ChecksBudgetsLast(t *testing.T) {
	for name, c := range map[string]struct {
		runtime config.Runtime
		want    gate.Outcome
	}{
		"not listed":    {config.Runtime{AllowedUsers: []string{"zoe"}}, gate.NotListed},
		"not permitted": {withRoutes(routes.Route{Match: "/", Action: "certs.burn"}), gate.NotPermitted},
		"not owner":     {withRoutes(routes.Route{Match: "/", Owner: "alice"}), gate.NotOwner},
		"unmatched":     {config.Runtime{DenyUnmatched: true}, gate.Unmatched},
		"over budget":   {config.Runtime{}, gate.OverBudget},
	} {
		h := newBudgetFixture(t)
		h.spend(10, 100)
		h.use(t, c.runtime)
		if d := h.ask(http.MethodPost, "/", from(bearer(teamKey))); d.Outcome != c.want {
			t.Errorf("%s: %s", name, d.Outcome)
		}
	}
}

// A caller over its budget can still report what it used, log in, and manage itself; introspection says that the key is
// valid; and an open request goes on.
func TestBudgets_ApplyToDecideOnly(t *testing.T) {
	h := newBudgetFixture(t)
	request := &gate.Request{Method: http.MethodGet, Host: "h", Target: "/", Header: from(bearer(teamKey))}
	admitted := h.Decide(request)
	h.spend(10, 100)
	if d := h.Identify(from(bearer(teamKey))); d.Outcome != gate.Allowed {
		t.Error("Identify: ", d.Outcome)
	}
	if d := h.IdentifyOrAnonymous(from(bearer(teamKey))); d.Outcome != gate.Allowed || d.Caller.Username != "bob" {
		t.Error("IdentifyOrAnonymous: ", d.Outcome)
	}
	if d := h.Authenticate(teamKey, ""); d.Outcome != gate.Allowed {
		t.Error("Authenticate: ", d.Outcome)
	}
	if !h.Recheck(request, &admitted.Caller) {
		t.Error("an open request was ended")
	}
}

func TestDecide_AdmitsWithAWarning(t *testing.T) {
	h := newBudgetFixture(t)
	warning := tokensBudget("monthly", 100, budget.Month)
	warning.Warns = true
	h.index.PutRole("team", access.Role{Budgets: []budget.Budget{warning}})
	h.spend(0, 100)
	if d := h.ask(http.MethodGet, "/", from(bearer(teamKey))); d.Outcome != gate.Allowed {
		t.Error(d.Outcome)
	}
}

func TestRefusal_NamesTheBudgetAndWhenItResets(t *testing.T) {
	for name, c := range map[string]struct {
		byKey, byRole int64
		want          string
	}{
		"of the key": {10, 0, "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nCache-Control: no-store\r\n" +
			"Content-Type: application/json\r\nRetry-After: 86400\r\n\r\n" +
			`{"error":{"code":4029,"what":"Budget \"daily\" is used up until 2030-01-02T00:00:00Z",` +
			`"budget":"daily","resets_at":"2030-01-02T00:00:00Z"}}` + "\n"},
		"of a role, which resets later": {10, 100, "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n" +
			"Cache-Control: no-store\r\nContent-Type: application/json\r\nRetry-After: 2678400\r\n\r\n" +
			`{"error":{"code":4029,"what":"Budget \"monthly\" of role \"team\" is used up until 2030-02-01T00:00:00Z",` +
			`"budget":"monthly","resets_at":"2030-02-01T00:00:00Z"}}` + "\n"},
	} {
		h := newBudgetFixture(t)
		h.spend(c.byKey, c.byRole)
		d := h.ask(http.MethodGet, "/", from(bearer(teamKey)))
		if got := written(t, &d); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestRefusal_OverBudgetRoundsTheWaitUp(t *testing.T) {
	h := newBudgetFixture(t)
	h.spend(10, 0)
	h.Now = func() time.Time { return budget.Day.EndOf(now).Add(-time.Second - time.Nanosecond) }
	d := h.ask(http.MethodGet, "/", from(bearer(teamKey)))
	if got := d.Refusal().Header.Get("Retry-After"); got != "2" {
		t.Error(got)
	}
}

// The CRDs allow no such names. Clients parse the body all the same.
func TestRefusal_OverBudgetIsJSONWhateverTheName(t *testing.T) {
	h := newBudgetFixture(t)
	h.index.PutRole("team", access.Role{Budgets: []budget.Budget{tokensBudget("\"</script>\n\x01\xff", 1, budget.Day)}})
	h.spend(0, 1)
	d := h.ask(http.MethodGet, "/", from(bearer(teamKey)))
	body := d.Refusal().Body
	if d.Outcome != gate.OverBudget || !json.Valid([]byte(body)) || strings.Count(body, "\n") != 1 {
		t.Errorf("%s: %q", d.Outcome, body)
	}
}

func TestRecord_OmitsRequestsOverBudget(t *testing.T) {
	r := newRecordings(t, config.Runtime{})
	b := newBudgetFixture(t)
	b.Uses, b.SeenUsers = r.used, r.seen
	b.spend(10, 0)
	b.ask(http.MethodGet, "/", from(bearer(teamKey)))
	if used, seen := r.take(); len(used)+len(seen) > 0 {
		t.Error(used, seen)
	}
}

// overBudgetLog collects reported keys.
type overBudgetLog struct{ all []verify.OverBudget }

func (l *overBudgetLog) Record(one verify.OverBudget) { l.all = append(l.all, one) }

func TestDecide_ReportsKeysOverBudget(t *testing.T) {
	warning := tokensBudget("monthly", 100, budget.Month)
	warning.Warns = true
	for name, c := range map[string]struct {
		byKey, byRole int64
		header        http.Header
		want          int
	}{
		"within its budgets":          {9, 99, from(bearer(teamKey)), 0},
		"refused":                     {10, 0, from(bearer(teamKey)), 1},
		"warned of":                   {0, 100, from(bearer(teamKey)), 1},
		"refused, and warned of":      {10, 100, from(bearer(teamKey)), 1},
		"in a session":                {10, 0, from(session(bobSession)), 1},
		"another key":                 {10, 100, from(bearer(ciKey)), 0},
		"an unknown key":              {10, 100, from(bearer(unknownKey)), 0},
		"the bootstrap key":           {10, 100, from(bearer(bootstrapKey)), 0},
		"an admin's session beside":   {10, 100, from(bearer(teamKey), session(aliceSession)), 0},
		"refused, without a recorder": {10, 0, from(bearer(teamKey)), -1},
	} {
		h, log := newBudgetFixture(t), &overBudgetLog{}
		if c.want >= 0 {
			h.OverBudget = log
		}
		h.index.PutRole("team", access.Role{Budgets: []budget.Budget{warning}})
		h.spend(c.byKey, c.byRole)
		for range 3 {
			h.ask(http.MethodGet, "/", c.header)
		}
		if len(log.all) != max(0, c.want) {
			t.Errorf("%s: %d reports", name, len(log.all))
		}
		for _, one := range log.all {
			if one.Object != teamID || one.UID != "User/bob" || !one.At.Equal(now) || len(one.Budgets.UsedUp(now)) == 0 {
				t.Errorf("%s: %+v", name, one)
			}
		}
	}
}

func TestDecide_ReportsKeysOverBudgetAgainLater(t *testing.T) {
	h, log := newBudgetFixture(t), &overBudgetLog{}
	at := now
	h.OverBudget, h.Now = log, func() time.Time { return at }
	h.spend(10, 0)
	for range 100 {
		h.ask(http.MethodGet, "/", from(bearer(teamKey)))
		at = at.Add(100 * time.Millisecond)
	}
	if len(log.all) != 2 {
		t.Errorf("%d reports in ten seconds", len(log.all))
	}
}
