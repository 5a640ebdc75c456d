package users

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/kit"
)

var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// hours returns a time some hours after the beginning, and the zero time for 0.
func hours(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return begin.Add(time.Duration(n) * time.Hour)
}

func fourUsers() []User {
	return []User{
		{Username: "Alice", Role: v1alpha1.RoleAdmin, Source: FromAPI, Enabled: true, CreatedAt: hours(1),
			LastSeen: hours(9), LastUsedAt: hours(9), KeyPrefix: "ak_AbCd"},
		{Username: "bob", Role: v1alpha1.RoleAdmin, Source: FromManifest, CreatedAt: hours(3), LastUsedAt: hours(5)},
		{Username: "carol", Role: v1alpha1.RoleUser, Source: FromSight, Enabled: true, CreatedAt: hours(2),
			LastSeen: hours(7)},
		{Username: "albert", Role: v1alpha1.RoleUser, Source: FromAPI, Enabled: true, CreatedAt: hours(2)},
	}
}

func TestQuery_ChoosesAndSorts(t *testing.T) {
	for _, c := range []struct {
		query Query
		want  string
		total int
	}{
		{Query{}, "bob albert carol Alice", 4},
		{Query{Sort: OldestFirst}, "Alice albert carol bob", 4},
		{Query{Sort: ByName}, "albert Alice bob carol", 4},
		{Query{Sort: ByNameReverse}, "carol bob Alice albert", 4},
		{Query{Sort: LastSeenFirst}, "Alice carol albert bob", 4},
		{Query{Sort: LastSeenLast}, "carol Alice albert bob", 4},
		{Query{Sort: LastUsedFirst}, "Alice bob albert carol", 4},
		{Query{Sort: LastUsedLast}, "bob Alice albert carol", 4},
		{Query{Sort: ByRole}, "Alice bob albert carol", 4},
		{Query{Sort: ByRoleReverse}, "albert carol Alice bob", 4},
		{Query{Sort: BySource}, "Alice albert bob carol", 4},
		{Query{Sort: BySourceReverse}, "carol bob Alice albert", 4},
		{Query{Search: " AL ", Sort: ByName}, "albert Alice", 2},
		{Query{Search: "ak_abcd"}, "Alice", 1},
		{Query{Search: "%"}, "", 0},
		{Query{Role: v1alpha1.RoleAdmin}, "bob Alice", 2},
		{Query{Source: FromSight}, "carol", 1},
		{Query{Enabled: new(false)}, "bob", 1},
		{Query{Enabled: new(true), Role: v1alpha1.RoleUser}, "albert carol", 2},
		{Query{Offset: 1, Limit: 2}, "albert carol", 4},
		{Query{Offset: 9, Limit: 2}, "", 4},
	} {
		t.Run(fmt.Sprintf("%+v", c.query), func(t *testing.T) {
			if err := c.query.check(); err != nil {
				t.Fatal(err)
			}
			chosen := c.query.filter(fourUsers())
			var names []string
			for _, u := range c.query.page(chosen) {
				names = append(names, u.Username)
			}
			if got := strings.Join(names, " "); got != c.want || len(chosen) != c.total {
				t.Errorf("got %q of %d, want %q of %d", got, len(chosen), c.want, c.total)
			}
		})
	}
}

func TestQuery_RefusesUnknownValues(t *testing.T) {
	for field, q := range map[string]Query{
		FieldSearch: {Search: strings.Repeat("a", 257)}, FieldRole: {Role: "root"}, FieldSource: {Source: "x"},
		FieldSort: {Sort: "-"},
	} {
		if err := q.check(); !manage.Is(err, manage.Invalid) || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// uses has the last uses of users by uid, and counts how many it is asked for.
type uses struct {
	byUID map[string]lastuse.Use
	asked int
}

func (u *uses) LastUses(_ context.Context, uids []string) (map[string]lastuse.Use, error) {
	u.asked += len(uids)
	found := map[string]lastuse.Use{}
	for _, uid := range uids {
		if use, is := u.byUID[uid]; is {
			found[uid] = use
		}
	}
	return found, nil
}

func (*uses) AddressUses(context.Context, string) ([]lastuse.AddressUse, error) { return nil, nil }

func newListing(tb testing.TB, many int) (*Service, *env, *uses) {
	tb.Helper()
	s, fake, e := newService(tb, &kit.Log{})
	u := &uses{byUID: map[string]lastuse.Use{}}
	s.Uses, s.Entries = u, &fakeobjects.Trail{}
	for i := range many {
		fake.PutUser(v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{
			Username: fmt.Sprintf("user-%05d", i), Role: v1alpha1.RoleUser, Delivery: v1alpha1.DeliveryResponse,
		}}, "")
	}
	return s, e, u
}

func (e *env) list(tb testing.TB, s *Service, q Query) *Page {
	tb.Helper()
	page, err := s.List(tb.Context(), e.alice, func() (*Query, error) { return &q, nil })
	if err != nil {
		tb.Fatal(err)
	}
	return page
}

// A page needs the last uses of its users alone, unless they decide on the order.
func TestList_ReadsLastUsesOfPage(t *testing.T) {
	s, e, u := newListing(t, 30)
	bob := e.list(t, s, Query{Search: "bob"}).Items[0]
	used := time.Now().Add(time.Hour).UTC()
	u.byUID[bob.ID] = lastuse.Use{UID: bob.ID, At: used}
	u.asked = 0
	if page := e.list(t, s, Query{Sort: ByName, Limit: 3}); page.Total != 32 || u.asked != 3 {
		t.Errorf("asked for %d of %d", u.asked, page.Total)
	}
	for _, sort := range []Sort{LastSeenFirst, LastUsedFirst} {
		u.asked = 0
		page := e.list(t, s, Query{Sort: sort, Limit: 3})
		if got := page.Items[0]; got.Username != "bob" || !got.LastUsedAt.Equal(used) || !got.LastSeen.Equal(used) ||
			u.asked != 32 {
			t.Errorf("%s: %+v, asked for %d", sort, got, u.asked)
		}
	}
}

func TestFacts_OfUser(t *testing.T) {
	s, e, _ := newListing(t, 1)
	for name, last := range map[string]bool{"alice": false, "user-00000": false} {
		f, err := s.Facts(t.Context(), e.alice, name)
		if err != nil || f.Username != name || f.Record == nil || f.Last != last {
			t.Errorf("%+v %v", f, err)
		}
	}
	for _, name := range []string{"Alice", "unknown", ""} {
		if _, err := s.Facts(t.Context(), e.alice, name); !manage.Is(err, manage.NotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := s.Delete(t.Context(), e.alice, "bob", no); err != nil {
		t.Fatal(err)
	}
	if f, err := s.Facts(t.Context(), e.alice, "alice"); err != nil || !f.Last {
		t.Errorf("%+v %v", f, err)
	}
}

// BenchmarkList compares a page of 10,000 users, searched and sorted, with reading all of them. The ratio is what the
// page costs in times of the read.
func BenchmarkList(b *testing.B) {
	const many, most = 10_000, 4
	s, e, _ := newListing(b, many)
	plain := func() {
		if _, err := s.Store.Users(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	page := func() { e.list(b, s, Query{Search: "user", Sort: ByNameReverse, Limit: 50}) }
	var floor, cost []time.Duration
	for b.Loop() {
		floor, cost = append(floor, took(plain)), append(cost, took(page))
	}
	ratio := float64(slices.Min(cost)) / float64(slices.Min(floor))
	b.ReportMetric(ratio, "x-of-read")
	if ratio > most {
		b.Errorf("a page costs %.1f times as much as reading all users, want at most %d", ratio, most)
	}
}

func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}
