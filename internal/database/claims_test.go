package database_test

import (
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/claims/link"
)

// newLink returns an open link that ends a day after noon, and the hash of its token.
func newLink(t *testing.T, id string) (*link.Link, link.Hash) {
	t.Helper()
	hash, valid := link.HashOf(link.NewToken())
	if !valid {
		t.Fatal("a new token is not valid")
	}
	return &link.Link{
		ID: id, Kind: link.Key, Subject: "Account/ci", Name: "Nightly \x00 builds", Namespace: "keywright-system",
		Object: "nightly-x7k2p", UID: "uid-of-" + id, Creator: "User/alice", CreatorKey: digest(1), Owner: "uid-of-ci",
		CreatedAt: noon, EndsAt: noon.Add(24 * time.Hour), State: link.Open,
	}, hash
}

func addLink(t *testing.T, store link.Store, id string) (*link.Link, link.Hash) {
	t.Helper()
	l, hash := newLink(t, id)
	added, err := store.Add(t.Context(), l, hash)
	must(t, err)
	if !added {
		t.Fatalf("%s was not added", id)
	}
	return l, hash
}

// expect fails the test unless a conditional write reports want.
func expect(t *testing.T, what string, want bool) func(bool, error) {
	t.Helper()
	return func(got bool, err error) {
		t.Helper()
		must(t, err)
		if got != want {
			t.Errorf("%s: got %t, want %t", what, got, want)
		}
	}
}

func idsOf(links []link.Link) (ids []string) {
	for i := range links {
		ids = append(ids, links[i].ID)
	}
	return ids
}

func TestClaims_AreFoundByTokenAndID(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		l, hash := addLink(t, store, "one")
		expect(t, "the same link again", true)(store.Add(ctx, l, hash))
		want := *l
		want.Name = "Nightly \ufffd builds"
		byToken, err := store.ByToken(ctx, hash)
		must(t, err)
		byID, err := store.ByID(ctx, "one")
		must(t, err)
		if byToken == nil || byID == nil || *byToken != want || *byID != want {
			t.Errorf("got %+v and %+v, want %+v", byToken, byID, want)
		}
		other, _ := link.HashOf(link.NewToken())
		if found, err := store.ByToken(ctx, other); found != nil || err != nil {
			t.Error(found, err)
		}
		if found, err := store.ByID(ctx, "two\x00"); found != nil || err != nil {
			t.Error(found, err)
		}
	})
}

func TestClaims_KeepTheKeysOfARotation(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		overlap := 90 * time.Minute
		l, hash := newLink(t, "one")
		l.Kind, l.Succeeds, l.Overlap = link.KeyRotation, "0123456789abcdef", &overlap
		expect(t, "the link", true)(store.Add(ctx, l, hash))
		check := func(succeeds, issued string) {
			t.Helper()
			found, err := store.ByID(ctx, "one")
			must(t, err)
			if found.Kind != link.KeyRotation || found.Succeeds != succeeds || found.Issued != issued ||
				found.Overlap == nil || *found.Overlap != overlap {
				t.Errorf("%+v", found)
			}
		}
		check("0123456789abcdef", "")
		expect(t, "without a reservation", false)(store.Replace(ctx, "one", "a", "x", "y"))
		expect(t, "a reservation", true)(store.Reserve(ctx, "one", "a", noon, noon.Add(time.Minute)))
		expect(t, "of another attempt", false)(store.Replace(ctx, "one", "b", "x", "y"))
		check("0123456789abcdef", "")
		expect(t, "of this attempt", true)(store.Replace(ctx, "one", "a", "0123456789abcdef", "first"))
		expect(t, "of this attempt, repeated", true)(store.Replace(ctx, "one", "a", "0123456789abcdef", "first"))
		check("0123456789abcdef", "first")
		later := noon.Add(time.Minute)
		expect(t, "the next reservation", true)(store.Reserve(ctx, "one", "b", later, later.Add(time.Minute)))
		expect(t, "of an attempt that is over", false)(store.Replace(ctx, "one", "a", "x", "y"))
		expect(t, "of the next attempt", true)(store.Replace(ctx, "one", "b", "first", "second"))
		check("first", "second")
		expect(t, "the use", true)(store.Use(ctx, "one", "b", later))
		expect(t, "after the use", false)(store.Replace(ctx, "one", "b", "x", "y"))
		if none, hash := newLink(t, "none"); none.Overlap == nil {
			expect(t, "a link without an overlap", true)(store.Add(ctx, none, hash))
			found, err := store.ByID(ctx, "none")
			must(t, err)
			if found.Overlap != nil || found.Succeeds != "" {
				t.Errorf("%+v", found)
			}
		}
	})
}

func TestClaims_ReservedForOneAttempt(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		addLink(t, store, "one")
		until := noon.Add(time.Minute)
		expect(t, "an unknown link", false)(store.Reserve(ctx, "none", "a", noon, until))
		expect(t, "the first attempt", true)(store.Reserve(ctx, "one", "a", noon, until))
		expect(t, "the first attempt, repeated", true)(store.Reserve(ctx, "one", "a", noon, until))
		expect(t, "a second attempt", false)(store.Reserve(ctx, "one", "b", noon.Add(59*time.Second), until))
		expect(t, "a withdrawal meanwhile", false)(store.End(ctx, "one", "", link.Withdrawn, noon))
		expect(t, "a use without a reservation", false)(store.Use(ctx, "one", "b", noon))
		must(t, store.Release(ctx, "one", "b"))
		expect(t, "after another's release", false)(store.Reserve(ctx, "one", "b", noon, until))
		must(t, store.Release(ctx, "one", "a"))
		expect(t, "after the release", true)(store.Reserve(ctx, "one", "b", noon, until))
		expect(t, "after the reservation", true)(store.Reserve(ctx, "one", "c", until, until.Add(time.Minute)))
		expect(t, "a use that is too late", false)(store.Use(ctx, "one", "b", until))
		expect(t, "a use", true)(store.Use(ctx, "one", "c", until))
		expect(t, "a use, repeated", true)(store.Use(ctx, "one", "c", until))
		expect(t, "a use again", false)(store.Reserve(ctx, "one", "d", until.Add(time.Hour), until.Add(2*time.Hour)))
		expect(t, "a withdrawal after the use", false)(store.End(ctx, "one", "", link.Withdrawn, until.Add(time.Hour)))
		used, err := store.ByID(ctx, "one")
		must(t, err)
		if used.State != link.Used || !used.EndedAt.Equal(until) {
			t.Errorf("%+v", used)
		}
		if left, err := store.Unsettled(ctx, noon.AddDate(1, 0, 0)); err != nil || len(left) > 0 {
			t.Errorf("a used link is not settled: %v %v", left, err)
		}
	})
}

func TestClaims_EndOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		addLink(t, store, "withdrawn")
		expect(t, "a withdrawal", true)(store.End(ctx, "withdrawn", "", link.Withdrawn, noon))
		expect(t, "a withdrawal, repeated", true)(store.End(ctx, "withdrawn", "", link.Withdrawn, noon))
		expect(t, "an end after the end", false)(store.End(ctx, "withdrawn", "", link.Expired, noon))
		expect(t, "a claim after the end", false)(store.Reserve(ctx, "withdrawn", "a", noon, noon.Add(time.Minute)))
		addLink(t, store, "void")
		expect(t, "a claim", true)(store.Reserve(ctx, "void", "a", noon, noon.Add(time.Minute)))
		expect(t, "an end by the claim itself", true)(store.End(ctx, "void", "a", link.Void, noon))
		addLink(t, store, "old")
		end := noon.Add(24 * time.Hour)
		expect(t, "a claim just in time", true)(store.Reserve(ctx, "old", "a", end.Add(-time.Second), end.Add(time.Minute)))
		unsettled := func(now time.Time, want ...string) {
			t.Helper()
			found, err := store.Unsettled(ctx, now)
			must(t, err)
			if ids := idsOf(found); !slices.Equal(slices.Sorted(slices.Values(ids)), want) {
				t.Errorf("at %s: %q, want %q", now, ids, want)
			}
		}
		unsettled(end, "void", "withdrawn")
		unsettled(end.Add(time.Minute), "old", "void", "withdrawn")
		must(t, store.Settle(ctx, "withdrawn"), store.Settle(ctx, "old"))
		unsettled(end.Add(time.Minute), "old", "void")
	})
}

func TestClaims_ListOpenOnesFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		for i, id := range []string{"a", "b", "c", "d"} {
			l, hash := newLink(t, id)
			l.CreatedAt = noon.Add(time.Duration(i) * time.Second)
			expect(t, id, true)(store.Add(ctx, l, hash))
		}
		expect(t, "the end of d", true)(store.End(ctx, "d", "", link.Expired, noon))
		expect(t, "the end of b", true)(store.End(ctx, "b", "", link.Withdrawn, noon))
		all, err := store.List(ctx)
		must(t, err)
		if ids := idsOf(all); !slices.Equal(ids, []string{"c", "a", "d", "b"}) {
			t.Errorf("%q", ids)
		}
	})
}

func TestClaims_AreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		for i := range link.MaxOpenOfCreator {
			addLink(t, store, fmt.Sprint("of-alice-", i))
		}
		l, hash := newLink(t, "one-more")
		expect(t, "one more of the creator", false)(store.Add(ctx, l, hash))
		expect(t, "the end of another", true)(store.End(ctx, "of-alice-7", "", link.Withdrawn, noon))
		expect(t, "one more after that", true)(store.Add(ctx, l, hash))
		for i := link.MaxOpenOfCreator; i < link.MaxOpen; i++ {
			l, hash := newLink(t, fmt.Sprint("of-others-", i))
			l.Creator = fmt.Sprint("User/bob-", i%20)
			expect(t, l.ID, true)(store.Add(ctx, l, hash))
		}
		l, hash = newLink(t, "of-carol")
		l.Creator = "User/carol"
		expect(t, "one more of another", false)(store.Add(ctx, l, hash))
	})
}

func TestClaims_EndedOnesAreRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Claims(), t.Context()
		addLink(t, store, "open")
		addLink(t, store, "unsettled")
		expect(t, "an end", true)(store.End(ctx, "unsettled", "", link.Expired, noon))
		for i := range 5 {
			id := fmt.Sprint("settled-", i)
			addLink(t, store, id)
			expect(t, id, true)(store.End(ctx, id, "", link.Withdrawn, noon.Add(time.Duration(i)*time.Second)))
			must(t, store.Settle(ctx, id))
		}
		left := func(now time.Time, want ...string) {
			t.Helper()
			must(t, d.Purge(ctx, now))
			all, err := store.List(ctx)
			must(t, err)
			if ids := idsOf(all); !slices.Equal(slices.Sorted(slices.Values(ids)), want) {
				t.Errorf("%q are left, want %q", ids, want)
			}
		}
		d.Bound(2, 2)
		left(noon, "open", "settled-3", "settled-4", "unsettled")
		left(noon.Add(link.Retention+4*time.Second), "open", "settled-4", "unsettled")
		left(noon.AddDate(10, 0, 0), "open", "unsettled")
	})
}

// Of all claims at once, whatever the replica, one gets the link.
func TestClaims_OneOfManyAttemptsGetsTheLink(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store := d.Claims()
		addLink(t, store, "one")
		var got atomic.Int32
		var claiming sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			claiming.Go(func() {
				var reserved bool
				reserved, errs[i] = store.Reserve(t.Context(), "one", rand.Text(), noon, noon.Add(time.Minute))
				if reserved {
					got.Add(1)
				}
			})
		}
		claiming.Wait()
		must(t, errs...)
		if got.Load() != 1 {
			t.Errorf("%d attempts got the link", got.Load())
		}
	})
}
