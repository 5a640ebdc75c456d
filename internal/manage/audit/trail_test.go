package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/test/kit"
)

var errUnavailable = errors.New("the database is unavailable")

// store is an audit.Store. While unavailable it returns an error, but stores entries nevertheless if
// storesAnyway is set.
type store struct {
	mu           sync.Mutex
	unavailable  bool
	hangs        bool
	storesAnyway bool
	entries      []audit.Entry
	calls        int
}

func (s *store) Append(ctx context.Context, entries []audit.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.hangs {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.unavailable || s.storesAnyway {
		s.entries = append(s.entries, entries...)
	}
	if s.unavailable {
		return errUnavailable
	}
	return nil
}

func (*store) List(context.Context, audit.Filter) ([]audit.Entry, error) { return nil, nil }

func (s *store) setUnavailable(is bool) { s.mu.Lock(); defer s.mu.Unlock(); s.unavailable = is }

func (s *store) all() (entries []audit.Entry, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.entries), s.calls
}

func (s *store) details() (all []string) {
	entries, _ := s.all()
	for _, e := range entries {
		all = append(all, e.Detail)
	}
	return all
}

type env struct {
	*audit.Trail
	store    *store
	log      *kit.Log
	registry *prometheus.Registry
}

func newEnv() *env {
	e := &env{store: &store{}, log: &kit.Log{}, registry: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(e.log, nil))
	e.Trail = audit.New(audit.Config{Store: e.store, Now: time.Now, Log: log, Registry: e.registry})
	return e
}

// run returns a function that stops Run and waits for it.
func (e *env) run() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); e.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (e *env) record(details ...any) {
	for _, d := range details {
		e.Record(context.Background(), audit.Entry{
			Action: audit.UserCreate, Outcome: audit.Done, Detail: fmt.Sprint(d),
		})
	}
}

func (e *env) expectDropped(t *testing.T, want int) {
	t.Helper()
	text := "# HELP keywright_audit_dropped_total Audit entries that were never written to the database." +
		fmt.Sprintf(` They are in the log.
# TYPE keywright_audit_dropped_total counter
keywright_audit_dropped_total %d
`, want)
	if err := testutil.GatherAndCompare(e.registry, strings.NewReader(text), "keywright_audit_dropped_total"); err != nil {
		t.Error(err)
	}
	if got := len(e.log.Lines("will not be in the database")); got != want {
		t.Errorf("%d of them are in the log, want %d", got, want)
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRecord_WritesAtOnce(t *testing.T) {
	env := newEnv()
	env.record("a", "b")
	expect(t, env.store.details(), "a", "b")
	for _, e := range env.store.entries {
		if e.At.IsZero() || e.Mark == "" {
			t.Errorf("%+v", e)
		}
	}
	if env.store.entries[0].Mark == env.store.entries[1].Mark {
		t.Error("two entries have one mark")
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	env.Record(t.Context(), audit.Entry{At: at, Mark: "mine"})
	if e := env.store.entries[2]; !e.At.Equal(at) || e.Mark != "mine" {
		t.Errorf("given fields were changed: %+v", e)
	}
}

// The operation has happened, even if the caller is gone.
func TestRecord_IgnoresCanceledCaller(t *testing.T) {
	env := newEnv()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env.Record(ctx, audit.Entry{Detail: "a"})
	expect(t, env.store.details(), "a")
}

func TestOutage_EntriesWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		end := env.run()
		env.store.setUnavailable(true)
		env.record("a", "b")
		// Half a second more: between two attempts, not at the instant of one.
		time.Sleep(time.Hour + time.Second/2)
		if _, calls := env.store.all(); calls > 3700 {
			t.Errorf("asked %d times in an hour", calls)
		}
		env.record("c")
		env.store.setUnavailable(false)
		// The entry waits behind the others.
		env.record("d")
		time.Sleep(2 * time.Second)
		expect(t, env.store.details(), "a", "b", "c", "d")
		env.record("e")
		expect(t, env.store.details(), "a", "b", "c", "d", "e")
		end()
		env.expectDropped(t, 0)
		if got := env.log.Lines("written"); len(got) != 1 || !strings.Contains(got[0], "entries=4") {
			t.Error(env.log)
		}
	})
}

func TestOutage_HangingStoreDelaysOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		env.store.hangs = true
		begun := time.Now()
		env.record("a")
		if took := time.Since(begun); took != 2*time.Second {
			t.Error(took)
		}
		env.record("b", "c")
		if took := time.Since(begun); took != 2*time.Second {
			t.Error("other callers were delayed: ", took)
		}
		end := env.run()
		begun = time.Now()
		end()
		if took := time.Since(begun); took > 4*time.Second {
			t.Error("the shutdown took ", took)
		}
		env.expectDropped(t, 3)
	})
}

func TestOutage_DropsOldestEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 10_000
		env := newEnv()
		env.store.setUnavailable(true)
		for i := range bound + 3 {
			env.record(i)
		}
		env.expectDropped(t, 3)
		env.store.setUnavailable(false)
		end := env.run()
		time.Sleep(time.Minute)
		if got := env.store.details(); len(got) != bound || got[0] != "3" || got[bound-1] != fmt.Sprint(bound+2) {
			t.Errorf("%d, from %s to %s", len(got), got[0], got[len(got)-1])
		}
		end()
		env.expectDropped(t, 3)
	})
}

// Entries that are dropped during a write do not count as written.
func TestOutage_DropDuringWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 10_000
		env := newEnv()
		env.store.setUnavailable(true)
		for i := range bound {
			env.record(i)
		}
		env.store.setUnavailable(false)
		env.store.hangs = true
		end := env.run()
		synctest.Wait()
		for i := range 100 {
			env.record(bound + i)
		}
		env.store.mu.Lock()
		env.store.hangs = false
		env.store.mu.Unlock()
		time.Sleep(time.Minute)
		if got := env.store.details(); len(got) != bound || got[0] != "100" || got[bound-1] != fmt.Sprint(bound+99) {
			t.Errorf("%d, from %s to %s", len(got), got[0], got[len(got)-1])
		}
		end()
		env.expectDropped(t, 100)
	})
}

// The mark shows the store that it already has an entry whose reply was lost.
func TestOutage_RetryKeepsMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		end := env.run()
		env.store.unavailable, env.store.storesAnyway = true, true
		env.record("a")
		time.Sleep(3 * time.Second)
		env.store.setUnavailable(false)
		time.Sleep(3 * time.Second)
		end()
		if len(env.store.entries) < 2 {
			t.Fatal(env.store.entries)
		}
		for _, e := range env.store.entries {
			if e != env.store.entries[0] {
				t.Errorf("%+v and %+v", e, env.store.entries[0])
			}
		}
	})
}

func TestShutdown_WritesWaitingEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		env.store.setUnavailable(true)
		env.record("a", "b")
		end := env.run()
		time.Sleep(500 * time.Millisecond)
		env.store.setUnavailable(false)
		end()
		expect(t, env.store.details(), "a", "b")
		env.expectDropped(t, 0)
	})
}

func TestShutdown_LogsUnwrittenEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv()
		env.store.setUnavailable(true)
		env.Record(t.Context(), audit.Entry{
			Actor: "User/alice", Action: audit.UserDelete, Target: "User/bob", Outcome: audit.Done,
		})
		end := env.run()
		end()
		env.expectDropped(t, 1)
		for _, part := range []string{"actor=User/alice", "action=user.delete", "target=User/bob", "outcome=done"} {
			if !strings.Contains(env.log.String(), part) {
				t.Errorf("no %s in %s", part, env.log)
			}
		}
	})
}
