package database_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/lastuse"
)

func TestLastUses_KeepsLatest(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.LastUses(), t.Context()
		use := func(uid string, after time.Duration, from string) lastuse.Use {
			return lastuse.Use{UID: uid, KeyID: fmt.Sprintf("%016x", after), At: noon.Add(after), From: from}
		}
		expect := func(want ...lastuse.Use) {
			t.Helper()
			byUID := map[string]lastuse.Use{}
			for _, u := range want {
				byUID[u.UID] = u
			}
			if got, err := store.LastUses(ctx, []string{"a", "b", "c", "%", ""}); err != nil || !maps.Equal(got, byUID) {
				t.Errorf("%v %v, want %v", got, err, byUID)
			}
		}
		expect()
		must(t, store.SaveUses(ctx, nil))
		must(t, store.SaveUses(ctx, []lastuse.Use{use("b", 0, "10.0.0.1"), use("a", 0, ""), use("d", 0, "")}))
		expect(use("a", 0, ""), use("b", 0, "10.0.0.1"))
		must(t, store.SaveUses(ctx, []lastuse.Use{
			use("a", -time.Microsecond, "older"), use("b", time.Microsecond, "2001:db8::1"),
		}))
		expect(use("a", 0, ""), use("b", time.Microsecond, "2001:db8::1"))
		// Of two uses in one call, the later counts.
		must(t, store.SaveUses(ctx, []lastuse.Use{use("c", time.Hour, "later"), use("c", time.Minute, "earlier")}))
		expect(use("a", 0, ""), use("b", time.Microsecond, "2001:db8::1"), use("c", time.Hour, "later"))
	})
}

func TestLastUses_ManyObjects(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		var uses []lastuse.Use
		var uids []string
		for i := range 3*lastuse.BatchSize + 1 {
			uids = append(uids, fmt.Sprint("uid-", i))
			uses = append(uses, lastuse.Use{UID: uids[i], KeyID: "0123456789abcdef", At: noon, From: "10.0.0.1"})
		}
		for range 2 {
			must(t, d.LastUses().SaveUses(t.Context(), uses))
		}
		if got, err := d.LastUses().LastUses(t.Context(), uids); err != nil || len(got) != len(uids) {
			t.Errorf("%d of %d, %v", len(got), len(uids), err)
		}
	})
}
