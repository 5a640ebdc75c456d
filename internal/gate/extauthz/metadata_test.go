package extauthz_test

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

const spender = "the-key-of-a-program-with-budgets"

// limit puts a key with budgets into the index. 100 tokens and 100 nano-dollars are used in every period.
func (f *fixture) limit(tb testing.TB, budgets ...budget.Budget) {
	tb.Helper()
	f.index.Put(verify.ID{Kind: "APIKey", Namespace: "n", Name: "spender"}, verify.KeyObject{
		Identity: verify.Identity{Subject: "Account/spender"}, Standing: verify.Accepted, UID: "spender",
		Rights: &access.Rights{}, Keys: []verify.Key{{Digest: f.ring.Digest(spender)}}, Budgets: budgets,
	})
	for _, a := range f.config.Gate.Verifier.Accounts() {
		for _, p := range budget.Periods() {
			a.Set(p, now, budget.Used{Tokens: 100, NanoDollars: 100}, 0)
		}
	}
}

func limitOf(amount int64, unit budget.Unit) budget.Budget {
	return budget.Budget{Name: "b", Amount: amount, Unit: unit, Period: budget.Day}
}

func TestCheck_AnswersWhatRemains(t *testing.T) {
	warning := limitOf(500, budget.Tokens)
	warning.Warns = true
	const tokens, dollars = "keywright_remaining_tokens", "keywright_remaining_microdollars"
	for name, c := range map[string]struct {
		budgets []budget.Budget
		want    map[string]float64
	}{
		"no budget":     {nil, nil},
		"a warning":     {[]budget.Budget{warning}, nil},
		"tokens":        {[]budget.Budget{limitOf(500, budget.Tokens)}, map[string]float64{tokens: 400}},
		"micro-dollars": {[]budget.Budget{limitOf(2_000_100, budget.NanoDollars)}, map[string]float64{dollars: 2000}},
		"less than one": {[]budget.Budget{limitOf(101, budget.NanoDollars)}, map[string]float64{dollars: 1}},
		"more than Envoy reads": {
			[]budget.Budget{limitOf(math.MaxInt64, budget.Tokens)}, map[string]float64{tokens: math.MaxUint32},
		},
		"both": {
			[]budget.Budget{limitOf(500, budget.Tokens), limitOf(200, budget.Tokens), limitOf(1_000_100, budget.NanoDollars)},
			map[string]float64{tokens: 100, dollars: 1000},
		},
	} {
		f := newFixture(t, config.Runtime{})
		f.limit(t, c.budgets...)
		reply := f.ask(t, bearer(spender))
		if reply.GetOkResponse() == nil {
			t.Fatalf("%s: %v", name, reply)
		}
		fields := reply.GetDynamicMetadata().GetFields()
		if len(fields) != len(c.want) || (reply.GetDynamicMetadata() == nil) != (len(c.want) == 0) {
			t.Errorf("%s: %v, want %v", name, fields, c.want)
		}
		for entry, want := range c.want {
			value := fields[entry].GetStructValue().GetFields()
			if value["requests_per_unit"].GetNumberValue() != want || value["unit"].GetStringValue() != "MINUTE" {
				t.Errorf("%s: %s is %v, want %v", name, entry, value, want)
			}
		}
	}
}

func TestCheck_RefusesOverBudget(t *testing.T) {
	f := newFixture(t, config.Runtime{})
	f.limit(t, limitOf(100, budget.Tokens))
	reply := f.ask(t, bearer(spender))
	request := bearer(spender)
	d := f.config.Gate.Decide(&gate.Request{
		Method: http.MethodGet, Host: "app.example.com", Target: "/certs",
		Header: http.Header{"Authorization": {request.http.GetHeaders()["authorization"]}},
	})
	wantRefusal(t, reply, codes.ResourceExhausted, d)
	older, later := downstream(reply)
	if older.Get("Retry-After") != "86400" || later.Get("Retry-After") != "86400" ||
		reply.GetDeniedResponse().GetStatus().GetCode() != http.StatusTooManyRequests ||
		!strings.Contains(reply.GetDeniedResponse().GetBody(), `"budget":"b"`) || reply.GetDynamicMetadata() != nil {
		t.Errorf("%v", reply)
	}
}
