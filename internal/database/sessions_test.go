package database_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/sessions"
)

func digest(n byte) pepper.Digest {
	return pepper.Digest{PepperID: "0123abcd", Sum: pepper.Sum(bytes.Repeat([]byte{n}, len(pepper.Sum{})))}
}

func session(n byte, username string) sessions.Session {
	id := sessions.ID(bytes.Repeat([]byte{n}, 32))
	return sessions.Session{ID: id, Username: username, Key: digest(n), CreatedAt: noon, Expires: noon.Add(8 * time.Hour)}
}

// found returns which of the first ten sessions exist.
func found(t *testing.T, store sessions.Store) (all []byte) {
	t.Helper()
	for n := range byte(10) {
		one, err := store.Find(t.Context(), session(n, "").ID)
		must(t, err)
		if one != nil {
			all = append(all, n)
		}
	}
	return all
}

func addSessions(t *testing.T, store sessions.Store, username string, ns ...byte) {
	t.Helper()
	for _, n := range ns {
		must(t, store.Add(t.Context(), session(n, username)))
	}
}

func TestSessions_AddFind(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Sessions(), t.Context()
		if got := found(t, store); got != nil {
			t.Fatalf("%d in an empty database", got)
		}
		// An id may contain zeros, and a name non-ASCII characters.
		for n, username := range map[byte]string{0: "alice", 1: "Alice", 2: "Zoë ☃", 255: "alice"} {
			want := session(n, username)
			must(t, store.Add(ctx, want), store.Add(ctx, want))
			if got, err := store.Find(ctx, want.ID); err != nil || got == nil || *got != want {
				t.Errorf("%v %v, want %v", got, err, want)
			}
		}
	})
}

func TestSessions_RenewNeverShortens(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Sessions(), t.Context()
		one := session(1, "alice")
		addSessions(t, store, "alice", 1, 2)
		expect := func(want time.Time) {
			t.Helper()
			if got, err := store.Find(ctx, one.ID); err != nil || !got.Expires.Equal(want) || !got.CreatedAt.Equal(noon) {
				t.Fatalf("%v %v, want %v", got, err, want)
			}
		}
		later := one.Expires.Add(time.Microsecond)
		must(t, store.Renew(ctx, one.ID, later))
		expect(later)
		must(t, store.Renew(ctx, one.ID, one.Expires))
		expect(later)
		if other, err := store.Find(ctx, session(2, "").ID); err != nil || !other.Expires.Equal(one.Expires) {
			t.Error("another was renewed: ", other, err)
		}
		must(t, store.Remove(ctx, one.ID), store.Renew(ctx, one.ID, later.Add(time.Hour)))
		if got := found(t, store); !slices.Equal(got, []byte{2}) {
			t.Error("renewing brought it back: ", got)
		}
	})
}

func TestSessions_Remove(t *testing.T) {
	keys := func(ns ...byte) (digests []pepper.Digest) {
		for _, n := range ns {
			digests = append(digests, digest(n))
		}
		return digests
	}
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Sessions(), t.Context()
		for name, c := range map[string]struct {
			remove func() error
			want   []byte
		}{
			"one":          {func() error { return store.Remove(ctx, session(2, "").ID) }, []byte{1, 3, 4}},
			"none":         {func() error { return store.Remove(ctx, session(9, "").ID) }, []byte{1, 2, 3, 4}},
			"a user's":     {func() error { return store.RemoveForUser(ctx, "alice") }, []byte{3, 4}},
			"exact name":   {func() error { return store.RemoveForUser(ctx, "Alice") }, []byte{1, 2, 3, 4}},
			"no wildcards": {func() error { return store.RemoveForUser(ctx, "%") }, []byte{1, 2, 3, 4}},
			"a NUL":        {func() error { return store.RemoveForUser(ctx, "alice\x00") }, []byte{1, 2, 3, 4}},
			"of keys":      {func() error { return store.RemoveForKeys(ctx, keys(1, 4, 9)) }, []byte{2, 3}},
			"of many keys": {func() error {
				return store.RemoveForKeys(ctx, slices.Repeat(keys(7, 8, 3), 700))
			}, []byte{1, 2, 4}},
			"of no keys": {func() error { return store.RemoveForKeys(ctx, nil) }, []byte{1, 2, 3, 4}},
			"expired":    {func() error { return store.RemoveExpired(ctx, noon.Add(8*time.Hour)) }, nil},
			"not yet": {func() error {
				return store.RemoveExpired(ctx, noon.Add(8*time.Hour-time.Microsecond))
			}, []byte{1, 2, 3, 4}},
			"another statement": {func() error { return store.RemoveForUser(ctx, `alice' OR '1'='1`) }, []byte{1, 2, 3, 4}},
		} {
			addSessions(t, store, "alice", 1, 2)
			addSessions(t, store, "bob", 3, 4)
			must(t, c.remove())
			if got := found(t, store); !slices.Equal(got, c.want) {
				t.Errorf("%s: %d are left, want %d", name, got, c.want)
			}
			must(t, store.RemoveExpired(ctx, noon.AddDate(1, 0, 0)))
		}
	})
}

func TestSessions_Keys(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Sessions(), t.Context()
		expect := func(now time.Time, want ...pepper.Digest) {
			t.Helper()
			got, err := store.Keys(ctx, now)
			slices.SortFunc(got, func(a, b pepper.Digest) int { return bytes.Compare(a.Sum[:], b.Sum[:]) })
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%v %v, want %v", got, err, want)
			}
		}
		expect(noon)
		addSessions(t, store, "alice", 1, 2)
		again := session(3, "alice")
		again.Key, again.Expires = digest(1), again.Expires.Add(time.Microsecond)
		must(t, store.Add(ctx, again))
		expect(noon, digest(1), digest(2))
		expect(noon.Add(8*time.Hour), digest(1))
		must(t, store.RemoveForKeys(ctx, []pepper.Digest{digest(1)}))
		expect(noon, digest(2))
	})
}

func TestSessions_Oldest(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.Sessions(), t.Context()
		for n, age := range map[byte]time.Duration{1: 3 * time.Hour, 2: time.Hour, 3: 2 * time.Hour, 4: 0} {
			one := session(n, "alice")
			one.Key, one.CreatedAt = digest(1), noon.Add(-age)
			must(t, store.Add(ctx, one))
		}
		addSessions(t, store, "alice", 9)
		for newest, want := range map[int][]byte{0: {4, 2, 3, 1}, 2: {3, 1}, 4: nil, 50: nil} {
			ids, err := store.Oldest(ctx, newest, digest(1))
			var got []byte
			for _, id := range ids {
				got = append(got, id[0])
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("beyond %d: %d %v, want %d", newest, got, err, want)
			}
		}
	})
}
