package verify_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/verify"
)

func budgets(names ...string) (all []budget.Budget) {
	for _, name := range names {
		all = append(all, budget.Budget{Name: name, Unit: budget.Tokens, Amount: 1, Period: budget.Day})
	}
	return all
}

// limited is an index with one API key.
type limited struct {
	*verify.Verifier
	index *verify.Index
	key   verify.KeyObject
}

func newLimited(t *testing.T, own []budget.Budget, roles ...string) *limited {
	t.Helper()
	ring := keyring(t)
	l := &limited{index: &verify.Index{}, key: apiKey("alice", access.Rights{Roles: roles}, ring.Digest(numbered(1)))}
	l.Verifier, l.key.Budgets = verify.NewVerifier(l.index, format, ring), own
	l.index.Put(apiKeyID("ci"), l.key)
	return l
}

// owners returns whose budgets apply to the key, with their names.
func owners(all budget.Accounts) string {
	var words []string
	for _, a := range all {
		word := a.Owner.Key + a.Owner.Role + "="
		for _, b := range a.Budgets {
			word += b.Name
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (l *limited) want(t *testing.T, want string) budget.Accounts {
	t.Helper()
	got := l.Verify(numbered(1), now).Budgets()
	if owners(got) != want {
		t.Errorf("got %q, want %q", owners(got), want)
	}
	return got
}

func TestBudgets_AreThoseOfTheKeyAndItsRoles(t *testing.T) {
	l := newLimited(t, budgets("a", "b"), "team", "free", "all")
	l.index.ReplaceRoles(map[string]access.Role{
		"team": {Budgets: budgets("t")}, "all": {Budgets: budgets("x")}, "free": {}, "other": {Budgets: budgets("o")},
	})
	l.want(t, "team/ci=ab team=t all=x")
	if got := owners(l.Accounts()); got != "team/ci=ab all=x other=o team=t" {
		t.Error(got)
	}
}

func TestBudgets_FollowTheObjects(t *testing.T) {
	l := newLimited(t, nil, "team")
	l.index.PutRole("team", access.Role{})
	if l.want(t, "") != nil {
		t.Error("a key without budgets has accounts")
	}
	l.index.PutRole("team", access.Role{Budgets: budgets("t")})
	l.want(t, "team=t")
	l.key.Budgets = budgets("a")
	l.index.Put(apiKeyID("ci"), l.key)
	l.want(t, "team/ci=a team=t")
	l.key.Budgets = budgets("a", "b")
	l.index.Put(apiKeyID("ci"), l.key)
	l.index.PutRole("team", access.Role{})
	l.want(t, "team/ci=ab")
	l.key.Budgets = nil
	l.index.Put(apiKeyID("ci"), l.key)
	l.want(t, "")
	l.key.Budgets = budgets("c")
	l.index.Put(apiKeyID("ci"), l.key)
	l.want(t, "team/ci=c")
	l.index.Delete(apiKeyID("ci"))
	if got := owners(l.Accounts()); got != "" {
		t.Error(got)
	}
}

func TestBudgets_KeepTheirCounters(t *testing.T) {
	l := newLimited(t, budgets("a"), "team")
	l.index.PutRole("team", access.Role{Budgets: budgets("t")})
	for _, a := range l.want(t, "team/ci=a team=t") {
		a.Set(budget.Day, now, budget.Used{Tokens: 5}, 0)
	}
	wantKnown := func(want ...bool) {
		t.Helper()
		for i, a := range l.Verify(numbered(1), now).Budgets() {
			if _, known := a.Used(budget.Day, now); known != want[i] {
				t.Errorf("%+v: known is %t", a.Owner, known)
			}
		}
	}
	l.key.Budgets, l.key.Rights = budgets("other"), &access.Rights{Roles: []string{"team"}, Scopes: []string{"certs.read"}}
	l.index.Put(apiKeyID("ci"), l.key)
	l.index.PutRole("team", access.Role{Budgets: budgets("u"), MaxTTL: 1 << 50})
	l.index.PutRole("other", access.Role{Budgets: budgets("o")})
	l.want(t, "team/ci=other team=u")
	wantKnown(true, true)
	// The same name is another object now.
	l.key.UID = "another"
	l.index.Put(apiKeyID("ci"), l.key)
	wantKnown(false, true)
}

func TestBudgets_OfRefusedKeysAreNone(t *testing.T) {
	l := newLimited(t, budgets("a"), "missing")
	l.index.PutRole("team", access.Role{Budgets: budgets("t")})
	l.want(t, "")
	if got := l.Verify(numbered(2), now).Budgets(); got != nil {
		t.Error(owners(got))
	}
}

func TestBudgets_MayChangeDuringVerification(t *testing.T) {
	l := newLimited(t, budgets("a"), "team")
	l.index.PutRole("team", access.Role{Budgets: budgets("t")})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for range 500 {
				if got := l.Verify(numbered(1), now).Budgets(); len(got) != 2 {
					t.Errorf("%d accounts", len(got))
					return
				}
			}
		})
	}
	for i := range 500 {
		l.key.Budgets = budgets(fmt.Sprint("a", i))
		l.index.Put(apiKeyID("ci"), l.key)
		l.index.PutRole("team", access.Role{Budgets: budgets(fmt.Sprint("t", i))})
		for _, a := range l.Accounts() {
			a.Set(budget.Day, now, budget.Used{Tokens: int64(i)}, 0)
		}
	}
	readers.Wait()
}

func TestShouldReportBudgets_OncePerIntervalAndChange(t *testing.T) {
	l := newLimited(t, budgets("a"), "team")
	due := func(since time.Duration) bool {
		return l.Verify(numbered(1), now).ShouldReportBudgets(now.Add(since), time.Minute)
	}
	expect := func(what string, since time.Duration, want bool) {
		t.Helper()
		if got := due(since); got != want {
			t.Errorf("%s: %t", what, got)
		}
	}
	expect("the first", 0, true)
	expect("within the interval", time.Minute-1, false)
	l.index.Put(apiKeyID("ci"), l.key)
	expect("after an event that changes nothing", time.Minute-1, false)
	expect("after the interval", time.Minute, true)
	l.index.ReplaceRoles(map[string]access.Role{"team": {Budgets: budgets("t")}})
	expect("with the budget of a role", time.Minute, true)
	l.key.Budgets = budgets("a", "b")
	l.index.Put(apiKeyID("ci"), l.key)
	expect("with another budget", time.Minute, true)
	l.key.Budgets = nil
	l.index.Put(apiKeyID("ci"), l.key)
	l.index.ReplaceRoles(map[string]access.Role{"team": {}})
	expect("without budgets", time.Hour, false)
}

func TestShouldReportBudgets_OneOfManyConcurrentRequests(t *testing.T) {
	l := newLimited(t, budgets("a"))
	var reports atomic.Int32
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			if l.Verify(numbered(1), now).ShouldReportBudgets(now, time.Minute) {
				reports.Add(1)
			}
		})
	}
	running.Wait()
	if got := reports.Load(); got != 1 {
		t.Errorf("%d requests are to be reported", got)
	}
}
