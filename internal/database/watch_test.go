package database_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/test/postgres"
)

// watcher records the calls of a watch.
type watcher struct {
	mu    sync.Mutex
	ended []byte
	lost  []bool
}

func watch(t *testing.T, d *database.DB) *watcher {
	t.Helper()
	w := &watcher{}
	run(t, func(ctx context.Context) {
		err := d.Sessions().Watch(ctx,
			func(id sessions.ID) { w.mu.Lock(); defer w.mu.Unlock(); w.ended = append(w.ended, id[0]) },
			func(lost bool) { w.mu.Lock(); defer w.mu.Unlock(); w.lost = append(w.lost, lost) })
		if err != nil {
			t.Error(err)
		}
	})
	w.waitFor(t, false)
	return w
}

// waitFor returns once the last call of lost had the given argument.
func (w *watcher) waitFor(t *testing.T, lost bool) {
	t.Helper()
	eventually(t, "lost is called", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.lost) > 0 && w.lost[len(w.lost)-1] == lost
	})
}

func (w *watcher) expectEnded(t *testing.T, ids ...byte) {
	t.Helper()
	eventually(t, "ended is called", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		slices.Sort(w.ended)
		return slices.Equal(w.ended, ids)
	})
}

func TestWatch_ReportsSessionsEndedByOtherServers(t *testing.T) {
	url := emptyPostgres(t)
	here, other := open(t, url), open(t, url)
	w, ctx := watch(t, other), t.Context()
	addSessions(t, here.Sessions(), "alice", 1, 2, 3, 4)
	addSessions(t, here.Sessions(), "bob", 5, 6)
	// Neither an expired nor an unknown session is reported.
	must(t, here.Sessions().Renew(ctx, session(6, "").ID, noon.AddDate(1, 0, 0)))
	must(t, here.Sessions().Remove(ctx, session(9, "").ID))
	must(t, here.Sessions().Remove(ctx, session(1, "").ID))
	w.expectEnded(t, 1)
	must(t, here.Sessions().RemoveForKeys(ctx, []pepper.Digest{digest(2), digest(5), digest(7)}))
	w.expectEnded(t, 1, 2, 5)
	must(t, here.Sessions().RemoveForUser(ctx, "alice"))
	w.expectEnded(t, 1, 2, 3, 4, 5)
	must(t, here.Sessions().RemoveExpired(ctx, noon.AddDate(2, 0, 0)))
	addSessions(t, here.Sessions(), "carol", 8)
	must(t, here.Sessions().Remove(ctx, session(8, "").ID))
	w.expectEnded(t, 1, 2, 3, 4, 5, 8)
}

func TestWatch_SQLiteReportsNothing(t *testing.T) {
	d := open(t, dialects["SQLite"](t))
	w := watch(t, d)
	addSessions(t, d.Sessions(), "alice", 1)
	must(t, d.Sessions().Remove(t.Context(), session(1, "").ID))
	w.expectEnded(t)
}

func TestWatch_ReportsOutageAndRecovers(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	d := open(t, url)
	w := watch(t, d)
	for _, end := range []func() error{server.Stop, server.Crash} {
		must(t, end())
		w.waitFor(t, true)
		must(t, server.Start())
		w.waitFor(t, false)
		eventually(t, "the database is back", func() bool { return d.Err() == nil })
	}
	addSessions(t, d.Sessions(), "alice", 1)
	must(t, d.Sessions().Remove(t.Context(), session(1, "").ID))
	w.expectEnded(t, 1)
}

// A cut connection looks like an idle one.
func TestWatch_NoticesUnresponsiveServer(t *testing.T) {
	server := postgres.Start(t)
	line := relay(t, server)
	d := open(t, line.url)
	w := watch(t, d)
	begun := time.Now()
	line.hold()
	w.waitFor(t, true)
	if took := time.Since(begun); took > 10*time.Second {
		t.Error("noticed after ", took)
	}
	line.release()
	w.waitFor(t, false)
}
