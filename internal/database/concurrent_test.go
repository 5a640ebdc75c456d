package database_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
)

func TestOpen_ReplicasStartTogether(t *testing.T) {
	url := emptyPostgres(t)
	const replicas = 8
	var all [replicas]*database.DB
	var started sync.WaitGroup
	for i := range all {
		started.Go(func() {
			var err error
			if all[i], err = database.Open(t.Context(), url, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	for i, d := range all {
		if err := errors.Join(d.Err(), d.Sessions().Add(t.Context(), session(byte(i), "alice"))); err != nil {
			t.Error(err)
		}
	}
	if got := found(t, all[0].Sessions()); len(got) != replicas {
		t.Error(got)
	}
	for _, d := range all {
		must(t, d.Close())
	}
}

// The second process reports the conflict, and takes over once the first has closed the file.
func TestSQLite_SecondProcessWaitsForFile(t *testing.T) {
	path := dialects["SQLite"](t)
	first, err := database.Open(t.Context(), path, slog.New(slog.DiscardHandler))
	must(t, err, first.Err())
	must(t, first.Sessions().Add(t.Context(), session(1, "alice")))
	second, _ := openLogged(t, path)
	if err := second.Err(); err == nil || err.Error() != "SQLite: another process has the file open" {
		t.Error(err)
	}
	must(t, first.Close())
	eventually(t, "the next one has it", func() bool { return second.Err() == nil })
	if got := found(t, second.Sessions()); len(got) != 1 {
		t.Error(got)
	}
}

func TestSQLite_OneOfSeveralOpensFile(t *testing.T) {
	path := dialects["SQLite"](t)
	var all [4]*database.DB
	var started sync.WaitGroup
	for i := range all {
		started.Go(func() {
			var err error
			if all[i], err = database.Open(t.Context(), path, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	for _, d := range all {
		use(t, d)
	}
	eventually(t, "one of them has the file", func() bool {
		var well int
		for _, d := range all {
			if d.Err() == nil {
				well++
			}
		}
		if well > 1 {
			t.Fatal(well, " of them have the file")
		}
		return well == 1
	})
}

// Concurrent writes from two servers neither fail, nor get lost, nor deadlock.
func TestStores_ConcurrentWriters(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			servers := []*database.DB{openPatiently(t, url)}
			if name == "PostgreSQL" {
				servers = append(servers, openPatiently(t, url))
			}
			const writers, rounds = 6, 20
			var writing sync.WaitGroup
			for n := range writers {
				d := servers[n%len(servers)]
				writing.Go(func() {
					for i := range rounds {
						if err := writeAll(t.Context(), d, n, i); err != nil {
							t.Error(err)
						}
					}
				})
			}
			writing.Wait()
			entries, err := servers[0].Audit().List(t.Context(), audit.Filter{Limit: audit.MaxLimit})
			if err != nil || len(entries) != writers*rounds {
				t.Error(len(entries), err)
			}
			uses, err := servers[0].LastUses().LastUses(t.Context(), []string{"uid-0", "uid-49"})
			if err != nil || !uses["uid-0"].At.Equal(noon.Add((rounds-1)*time.Second)) {
				t.Error(uses, err)
			}
		})
	}
}

func writeAll(ctx context.Context, d *database.DB, writer, round int) error {
	var uses []lastuse.Use
	var byAddress []lastuse.AddressUse
	var sightings []seenusers.Sighting
	for i := range 50 {
		// Each writer uses another order.
		i = (i*7 + writer*13) % 50
		uses = append(uses, lastuse.Use{UID: fmt.Sprint("uid-", i), At: noon.Add(time.Duration(round) * time.Second)})
		byAddress = append(byAddress, addressUse(fmt.Sprint("uid-", i), "192.0.2.1", time.Duration(round)*time.Second))
		sightings = append(sightings, sighting(fmt.Sprint("name-", i), time.Duration(round)*time.Second))
	}
	return errors.Join(
		d.Sessions().Add(ctx, session(byte(writer), "alice")),
		d.LastUses().SaveUses(ctx, uses),
		d.LastUses().SaveAddressUses(ctx, byAddress),
		d.SeenUsers().Save(ctx, sightings),
		d.Sessions().RemoveForUser(ctx, "alice"),
		d.Audit().Append(ctx, []audit.Entry{{At: noon, Detail: fmt.Sprint(writer, " ", round)}}),
	)
}

func TestTurn_ExcludesOthers(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			servers := []*database.DB{openPatiently(t, url)}
			if name == "PostgreSQL" {
				servers = append(servers, openPatiently(t, url), openPatiently(t, url))
			}
			var inside, most, done atomic.Int64
			var taking sync.WaitGroup
			for n := range 12 {
				taking.Go(func() {
					err := servers[n%len(servers)].Turn(t.Context(), "admins", func(ctx context.Context) error {
						most.Store(max(most.Load(), inside.Add(1)))
						defer inside.Add(-1)
						done.Add(1)
						// Work in a turn uses the database.
						return servers[n%len(servers)].Sessions().Add(ctx, session(byte(n), "alice"))
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			taking.Wait()
			if most.Load() != 1 || done.Load() != 12 {
				t.Errorf("%d had the turn at once, %d in all", most.Load(), done.Load())
			}
			mistake := errors.New("a mistake")
			err := servers[0].Turn(t.Context(), "admins", func(context.Context) error { return mistake })
			if !errors.Is(err, mistake) || errors.Is(err, database.ErrDown) {
				t.Error(err)
			}
		})
	}
}

func TestTurn_WaitsUntilContextEnds(t *testing.T) {
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			holder := open(t, url)
			waiter := holder
			if name == "PostgreSQL" {
				waiter = open(t, url)
			}
			must(t, holder.Turn(t.Context(), "admins", func(ctx context.Context) error {
				for _, d := range []*database.DB{holder, waiter} {
					gone, cancel := context.WithTimeoutCause(ctx, 20*time.Millisecond, errors.New("the caller has gone"))
					err := d.Turn(gone, "admins", func(context.Context) error { t.Error("two had the turn"); return nil })
					cancel()
					if err == nil || errors.Is(err, database.ErrDown) || err.Error() != "turn of admins: the caller has gone" {
						t.Error(err)
					}
					if err := d.Err(); err != nil {
						t.Error("a taken turn counts as an outage: ", err)
					}
				}
				return waiter.Turn(ctx, "another", func(context.Context) error { return nil })
			}))
			must(t, waiter.Turn(t.Context(), "admins", func(context.Context) error { return nil }))
		})
	}
}
