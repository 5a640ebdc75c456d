package database_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
)

// list returns the details of the entries that match a filter.
func list(t *testing.T, store audit.Store, f audit.Filter) (details []string) {
	t.Helper()
	entries, err := store.List(t.Context(), f)
	must(t, err)
	for _, e := range entries {
		details = append(details, e.Detail)
	}
	return details
}

func TestAudit_Filters(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Audit(), t.Context()
		must(t, store.Append(ctx, nil))
		want := audit.Entry{
			At: noon, Actor: "User/alice", KeyID: "0123456789abcdef", From: "10.0.0.1", Action: audit.UserCreate,
			Target: "User/bob", Outcome: audit.Done, Detail: "first ☃", Count: 17, Mark: "m",
		}
		must(t, store.Append(ctx, []audit.Entry{want}))
		got, err := store.List(ctx, audit.Filter{})
		if err != nil || len(got) != 1 || got[0].ID == 0 {
			t.Fatal(got, err)
		}
		want.ID = got[0].ID
		if got[0] != want {
			t.Errorf("%+v, want %+v", got[0], want)
		}

		must(t, store.Append(ctx, []audit.Entry{
			{
				At: noon.Add(time.Second), Actor: "User/alice", Action: audit.KeyCreate, Target: "APIKey/default/ci",
				Outcome: audit.Refused, Detail: "second",
			},
			{
				At: noon.Add(2 * time.Second), From: "10.0.0.1", Action: audit.Login, Target: "User/alice",
				Outcome: audit.Failed, Detail: "third",
			},
		}))
		must(t, store.Append(ctx, []audit.Entry{
			{At: noon, Actor: "User/al%", Action: audit.Logout, Outcome: audit.Done, Detail: "fourth"},
		}))
		for name, c := range map[string]struct {
			f    audit.Filter
			want []string
		}{
			"all":      {audit.Filter{}, []string{"fourth", "third", "second", "first ☃"}},
			"actor":    {audit.Filter{Actor: "User/alice"}, []string{"second", "first ☃"}},
			"wildcard": {audit.Filter{Actor: "User/al%"}, []string{"fourth"}},
			"in another case": {
				audit.Filter{Actor: "user/ALICE", Target: "USER/Bob"}, []string{"first ☃"},
			},
			// The Kelvin sign in lower case is a letter of a valid name.
			"another name": {audit.Filter{Target: "APIKey/default/c\u2139"}, nil},
			"injection":    {audit.Filter{Actor: "' OR 1=1 --"}, nil},
			"action":       {audit.Filter{Action: audit.Login}, []string{"third"}},
			"target":       {audit.Filter{Target: "User/bob"}, []string{"first ☃"}},
			"outcome":      {audit.Filter{Outcome: audit.Refused}, []string{"second"}},
			"from":         {audit.Filter{From: "10.0.0.1"}, []string{"third", "first ☃"}},
			"all at once": {audit.Filter{
				Actor: "User/alice", Action: audit.UserCreate, Target: "User/bob", Outcome: audit.Done, From: "10.0.0.1",
			}, []string{"first ☃"}},
			"since":  {audit.Filter{Since: noon.Add(time.Second)}, []string{"third", "second"}},
			"until":  {audit.Filter{Until: noon.Add(time.Second)}, []string{"fourth", "first ☃"}},
			"a page": {audit.Filter{Limit: 2}, []string{"fourth", "third"}},
			"NUL":    {audit.Filter{Actor: "a\x00b\xff"}, nil},
		} {
			if got := list(t, store, c.f); !slices.Equal(got, c.want) {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		}
		page, err := store.List(ctx, audit.Filter{Limit: 2})
		must(t, err)
		next := list(t, store, audit.Filter{Limit: 2, Before: page[1].ID})
		if !slices.Equal(next, []string{"second", "first ☃"}) {
			t.Errorf("the next page: %q", next)
		}
	})
}

func TestAudit_AppendIsIdempotent(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		entry := func(mark, detail string) audit.Entry { return audit.Entry{At: noon, Mark: mark, Detail: detail} }
		for range 2 {
			must(t, d.Audit().Append(t.Context(), []audit.Entry{entry("a", "a"), entry("b", "b")}))
		}
		must(t, d.Audit().Append(t.Context(), []audit.Entry{
			entry("b", "again"), entry("c", "c"), entry("", "no mark"), entry("", "nor here"),
		}))
		got, want := list(t, d.Audit(), audit.Filter{}), []string{"nor here", "no mark", "c", "b", "a"}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

func TestAudit_PagesInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		const many = 2*audit.MaxLimit + 1
		var entries []audit.Entry
		for i := range many {
			entries = append(entries, audit.Entry{At: noon, Detail: fmt.Sprint(i)})
		}
		for some := range slices.Chunk(entries, 300) {
			must(t, d.Audit().Append(t.Context(), some))
		}
		if got := len(list(t, d.Audit(), audit.Filter{})); got != audit.DefaultLimit {
			t.Errorf("%d of a list without a limit", got)
		}
		var got []string
		for before := int64(0); ; {
			page, err := d.Audit().List(t.Context(), audit.Filter{Limit: 1 << 30, Before: before})
			must(t, err)
			if len(page) == 0 {
				break
			}
			if len(page) > audit.MaxLimit {
				t.Fatal(len(page), " on a page")
			}
			for _, e := range page {
				got = append(got, e.Detail)
			}
			before = page[len(page)-1].ID
		}
		for i, detail := range got {
			if detail != fmt.Sprint(many-1-i) {
				t.Fatalf("%s is number %d", detail, i)
			}
		}
		if len(got) != many {
			t.Error(len(got))
		}
	})
}
