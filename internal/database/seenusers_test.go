package database_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/seenusers"
)

func sighting(name string, after time.Duration) seenusers.Sighting {
	return seenusers.Sighting{Username: name, From: "from " + after.String(), At: noon.Add(after)}
}

func TestSeenUsers_SaveFindRemove(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.SeenUsers(), t.Context()
		expect := func(name string, first, last time.Duration) {
			t.Helper()
			got, err := store.Find(ctx, name)
			if err != nil || got == nil || got.Username != name || got.ID == 0 || !got.FirstSeen.Equal(noon.Add(first)) ||
				!got.LastSeen.Equal(noon.Add(last)) || got.From != "from "+last.String() {
				t.Errorf("%+v %v, want %s %s %s", got, err, name, first, last)
			}
		}
		must(t, store.Save(ctx, nil))
		must(t, store.Save(ctx, []seenusers.Sighting{
			sighting("alice", 0), sighting("Alice", time.Microsecond), sighting("ζ", time.Second),
		}))
		expect("alice", 0, 0)
		must(t, store.Save(ctx, []seenusers.Sighting{
			sighting("alice", time.Minute), sighting("alice", 2*time.Minute), sighting("alice", time.Second),
		}))
		expect("alice", 0, 2*time.Minute)
		must(t, store.Save(ctx, []seenusers.Sighting{
			sighting("alice", -time.Hour), sighting("bob", time.Hour), sighting("bob", 0),
		}))
		expect("alice", 0, 2*time.Minute)
		expect("bob", 0, time.Hour)
		for _, unknown := range []string{"ALICE", "alice ", "a%", "", "bob\x00"} {
			if got, err := store.Find(ctx, unknown); got != nil || err != nil {
				t.Errorf("%q: %v %v", unknown, got, err)
			}
		}

		all, err := store.All(ctx)
		must(t, err)
		var names []string
		for _, u := range all {
			names = append(names, u.Username)
		}
		if got := strings.Join(names, " "); got != "ζ Alice bob alice" {
			t.Error(got)
		}
		for _, want := range []bool{true, false} {
			if got, err := store.Remove(ctx, "alice"); got != want || err != nil {
				t.Error("removed: ", got, err)
			}
		}
		if got, err := store.Find(ctx, "alice"); got != nil || err != nil {
			t.Error(got, err)
		}
		expect("Alice", time.Microsecond, time.Microsecond)
	})
}

// A flood of made-up names does not displace people who return.
func TestSeenUsers_FloodKeepsReturningUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.SeenUsers(), t.Context()
		var people []seenusers.Sighting
		for i := range 50 {
			name := fmt.Sprint("person-", i)
			people = append(people, sighting(name, 0), sighting(name, time.Hour))
		}
		must(t, store.Save(ctx, people))
		for wave := range 3 {
			var flood []seenusers.Sighting
			for i := range seenusers.MaxNames / 2 {
				name := fmt.Sprintf("flood-%d-%d", wave, i)
				flood = append(flood, sighting(name, 2*time.Hour+time.Duration(wave)*time.Minute))
			}
			must(t, store.Save(ctx, flood))
		}
		all, err := store.All(ctx)
		if err != nil || len(all) != seenusers.MaxNames {
			t.Errorf("%d names, %v", len(all), err)
		}
		for i := range 50 {
			if got, err := store.Find(ctx, fmt.Sprint("person-", i)); got == nil || err != nil {
				t.Error(i, " was displaced, ", err)
			}
		}
	})
}
