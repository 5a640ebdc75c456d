package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
)

// counted returns what a store has: the detail and the count of each entry.
func (s *store) counted() (all []string) {
	entries, _ := s.all()
	for _, e := range entries {
		all = append(all, fmt.Sprintf("%s x%d", e.Detail, e.Count))
	}
	return all
}

func TestCount_OneEntryAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		end := env.run()
		refuse := func(n int) {
			for i := range n {
				env.Record(t.Context(), audit.Entry{
					Actor: "User/eve", KeyID: "k", Action: audit.UserDelete, Outcome: audit.Refused,
					Target: fmt.Sprint("User/", i), Detail: fmt.Sprint(i),
				})
			}
		}
		refuse(1000)
		expect(t, env.store.counted(), "0 x1")
		time.Sleep(69 * time.Second)
		synctest.Wait()
		expect(t, env.store.counted(), "0 x1", "999 x999")
		entries, _ := env.store.all()
		if e := entries[1]; e.Target != "User/999" || e.KeyID != "k" || e.Mark == "" || e.Mark == entries[0].Mark {
			t.Errorf("%+v", e)
		}
		for range 10 {
			refuse(1)
			time.Sleep(30 * time.Second)
		}
		if got := len(env.store.counted()); got > 8 {
			t.Errorf("%d entries in 6 minutes", got)
		}
		time.Sleep(3 * time.Minute)
		before := len(env.store.counted())
		refuse(2)
		if got := env.store.counted(); len(got) != before+1 || got[before] != "0 x1" {
			t.Errorf("the first one after a pause is not written: %q", got)
		}
		end()
		if got := env.store.counted(); len(got) != before+2 || got[before+1] != "1 x1" {
			t.Errorf("what is left is not written at the end: %q", got)
		}
		all := 0
		written, _ := env.store.all()
		for _, e := range written {
			all += e.Count
		}
		if all != 1012 {
			t.Errorf("the entries stand for %d refusals", all)
		}
		env.expectDropped(t, 0)
	})
}

// Entries of different kinds are not counted together.
func TestCount_Kinds(t *testing.T) {
	base := audit.Entry{
		Actor: "User/eve", KeyID: "k", From: "192.0.2.1", Action: audit.KeyCreate, Target: "User/eve",
		Outcome: audit.Refused, Detail: "a",
	}
	for name, c := range map[string]struct {
		change func(e *audit.Entry)
		apart  bool
	}{
		"again":            {func(*audit.Entry) {}, false},
		"another target":   {func(e *audit.Entry) { e.Target = "User/bob" }, false},
		"another reason":   {func(e *audit.Entry) { e.Detail = "b" }, false},
		"another address":  {func(e *audit.Entry) { e.From = "192.0.2.2" }, false},
		"another key":      {func(e *audit.Entry) { e.KeyID = "other" }, true},
		"another action":   {func(e *audit.Entry) { e.Action = audit.KeyDelete }, true},
		"a failure":        {func(e *audit.Entry) { e.Outcome = audit.Failed }, true},
		"a success":        {func(e *audit.Entry) { e.Outcome = audit.Done }, true},
		"by a caller only": {func(e *audit.Entry) { e.KeyID = "" }, true},
		"anonymous":        {func(e *audit.Entry) { e.KeyID, e.Actor = "", "" }, true},
	} {
		env := newEnv()
		other := base
		c.change(&other)
		for _, e := range []audit.Entry{base, other} {
			env.Record(t.Context(), e)
		}
		if got := len(env.store.entries); got != map[bool]int{false: 1, true: 2}[c.apart] {
			t.Errorf("%s: %d entries", name, got)
		}
	}
}

// Addresses of one client count as one, as for the login throttle.
func TestCount_AnonymousByAddress(t *testing.T) {
	env := newEnv()
	for _, from := range []string{"2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"} {
		env.Record(t.Context(), audit.Entry{From: from, Action: audit.Login, Outcome: audit.Refused, Detail: from})
	}
	expect(t, env.store.details(), "2001:db8::1", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2")
}

// What was done is never merged with anything else, even if there is very much of it. Only the same once more is
// counted: to log in again and again, or to revoke a revoked key.
func TestCount_Done(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		end := env.run()
		const many = 2500
		for i := range many {
			e := audit.Entry{KeyID: "k", Action: audit.KeyCreate, Outcome: audit.Done, Target: fmt.Sprint("APIKey/", i)}
			env.Record(t.Context(), e)
		}
		if got := len(env.store.entries); got != many {
			t.Errorf("%d of %d", got, many)
		}
		time.Sleep(2 * time.Minute)
		for range 100 {
			env.Record(t.Context(), audit.Entry{KeyID: "k", Action: audit.Login, Outcome: audit.Done, Target: "User/eve"})
		}
		end()
		if got := env.store.entries[many:]; len(got) != 2 || got[0].Count != 1 || got[1].Count != 99 {
			t.Errorf("%+v", got)
		}
	})
}

func TestCount_ManyCallersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		end := env.run()
		for i := range 100_000 {
			env.Record(t.Context(), audit.Entry{
				From: fmt.Sprintf("198.%d.%d.%d", i>>16, i>>8&0xff, i&0xff), Action: audit.Login,
				Target: fmt.Sprint("User/", i), Outcome: audit.Refused,
			})
		}
		if got := len(env.store.entries); got != 1001 {
			t.Errorf("%d entries at once", got)
		}
		end()
		last := env.store.entries[len(env.store.entries)-1]
		if len(env.store.entries) != 1002 || last.Count != 98_999 || last.From != "" ||
			!strings.HasPrefix(last.Detail, "One of more than 1000 callers") {
			t.Errorf("%d entries, the last %+v", len(env.store.entries), last)
		}
	})
}

// During an outage there is one entry a minute as well, and none is lost.
func TestCount_Outage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		env.store.setUnavailable(true)
		end := env.run()
		for range 600 {
			env.Record(t.Context(), audit.Entry{KeyID: "k", Action: audit.Login, Outcome: audit.Failed})
			time.Sleep(time.Second)
		}
		env.store.setUnavailable(false)
		end()
		all := 0
		for _, e := range env.store.entries {
			all += e.Count
		}
		if all != 600 || len(env.store.entries) > 12 {
			t.Errorf("%d entries for %d", len(env.store.entries), all)
		}
		env.expectDropped(t, 0)
	})
}

func TestBatch_OneEntryForEachOutcome(t *testing.T) {
	env := newEnv()
	ctx, batch := audit.InBatch(t.Context())
	record := func(ctx context.Context, action, outcome, detail string) {
		env.Record(ctx, audit.Entry{KeyID: "k", Action: action, Outcome: outcome, Detail: detail})
	}
	record(ctx, audit.KeyCreate, audit.Refused, "first")
	record(ctx, audit.KeyRevoke, audit.Refused, "second")
	record(ctx, audit.KeyCreate, audit.Done, "done")
	record(ctx, audit.KeyCreate, audit.Failed, "failed")
	attempts, one := audit.InBatch(ctx)
	record(attempts, audit.KeyRevoke, audit.Refused, "here")
	record(attempts, audit.KeyRevoke, audit.Refused, "there")
	one.EndAsOne(ctx, false)
	attempts, one = audit.InBatch(ctx)
	record(attempts, audit.KeyRevoke, audit.Refused, "not there")
	one.EndAsOne(ctx, true)
	expect(t, env.store.details(), "done")
	batch.End(t.Context())
	got := env.store.counted()
	want := []string{"done x1", "3 in one request (key.create, key.revoke), first: first x3", "failed x1"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	_, batch = audit.InBatch(t.Context())
	batch.End(t.Context())
	batch.EndAsOne(t.Context(), false)
	expect(t, env.store.counted(), want...)
}
