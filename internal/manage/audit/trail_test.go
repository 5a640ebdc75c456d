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

var errAway = errors.New("the database is away")

// store fails while it is away, as a database does, and may keep what it says that it has not.
type store struct {
	mu      sync.Mutex
	away    bool
	hangs   bool
	keeps   bool
	entries []audit.Entry
	calls   int
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
	if !s.away || s.keeps {
		s.entries = append(s.entries, entries...)
	}
	if s.away {
		return errAway
	}
	return nil
}

func (*store) List(context.Context, audit.Filter) ([]audit.Entry, error) { return nil, nil }

func (s *store) be(away bool) { s.mu.Lock(); defer s.mu.Unlock(); s.away = away }

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

type world struct {
	*audit.Trail
	store    *store
	said     *kit.Log
	registry *prometheus.Registry
}

func newWorld() *world {
	w := &world{store: &store{}, said: &kit.Log{}, registry: prometheus.NewRegistry()}
	w.Trail = audit.New(audit.Config{Store: w.store, Now: time.Now, Log: slog.New(slog.NewTextHandler(w.said, nil)), Registry: w.registry})
	return w
}

// run returns how to end it.
func (w *world) run() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	return func() { cancel(); <-ended }
}

func (w *world) record(details ...any) {
	for _, d := range details {
		w.Record(context.Background(), audit.Entry{Action: audit.Login, Outcome: audit.Failed, Detail: fmt.Sprint(d)})
	}
}

func (w *world) expectDropped(t *testing.T, want int) {
	t.Helper()
	text := fmt.Sprintf(`# HELP keywright_audit_dropped_total Audit entries that were never written to the database. They are in the log.
# TYPE keywright_audit_dropped_total counter
keywright_audit_dropped_total %d
`, want)
	if err := testutil.GatherAndCompare(w.registry, strings.NewReader(text), "keywright_audit_dropped_total"); err != nil {
		t.Error(err)
	}
	if got := len(w.said.Lines("will not be in the database")); got != want {
		t.Errorf("%d of them are in the log, want %d", got, want)
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnEntryIsWrittenAtOnce(t *testing.T) {
	w := newWorld()
	w.record("a", "b")
	expect(t, w.store.details(), "a", "b")
	for _, e := range w.store.entries {
		if e.At.IsZero() || e.Mark == "" {
			t.Errorf("%+v", e)
		}
	}
	if w.store.entries[0].Mark == w.store.entries[1].Mark {
		t.Error("two entries have one mark")
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w.Record(t.Context(), audit.Entry{At: at, Mark: "mine"})
	if e := w.store.entries[2]; !e.At.Equal(at) || e.Mark != "mine" {
		t.Errorf("what was set is another: %+v", e)
	}
}

// Who did it may have gone; it is done all the same.
func TestAnEntryOutlivesItsCaller(t *testing.T) {
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Record(ctx, audit.Entry{Detail: "a"})
	expect(t, w.store.details(), "a")
}

func TestEntriesWaitForTheStoreInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		end := w.run()
		w.store.be(true)
		w.record("a", "b")
		time.Sleep(time.Hour)
		if _, calls := w.store.all(); calls > 3700 {
			t.Errorf("asked %d times in an hour", calls)
		}
		w.record("c")
		w.store.be(false)
		// Behind others that wait, it waits too.
		w.record("d")
		time.Sleep(2 * time.Second)
		expect(t, w.store.details(), "a", "b", "c", "d")
		w.record("e")
		expect(t, w.store.details(), "a", "b", "c", "d", "e")
		end()
		w.expectDropped(t, 0)
		if got := w.said.Lines("written"); len(got) != 1 || !strings.Contains(got[0], "entries=4") {
			t.Error(w.said)
		}
	})
}

// A store that says nothing holds a caller up for 2 seconds, once.
func TestAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.store.hangs = true
		begun := time.Now()
		w.record("a")
		if took := time.Since(begun); took != 2*time.Second {
			t.Error(took)
		}
		w.record("b", "c")
		if took := time.Since(begun); took != 2*time.Second {
			t.Error("others were held up too: ", took)
		}
		end := w.run()
		begun = time.Now()
		end()
		if took := time.Since(begun); took > 4*time.Second {
			t.Error("the end took ", took)
		}
		w.expectDropped(t, 3)
	})
}

func TestTheOldestGoWhenThereAreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 10_000
		w := newWorld()
		w.store.be(true)
		for i := range bound + 3 {
			w.record(i)
		}
		w.expectDropped(t, 3)
		w.store.be(false)
		end := w.run()
		time.Sleep(time.Minute)
		if got := w.store.details(); len(got) != bound || got[0] != "3" || got[bound-1] != fmt.Sprint(bound+2) {
			t.Errorf("%d, from %s to %s", len(got), got[0], got[len(got)-1])
		}
		end()
		w.expectDropped(t, 3)
	})
}

// What is dropped while a write is under way is not taken for what was written.
func TestDroppingWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 10_000
		w := newWorld()
		w.store.be(true)
		for i := range bound {
			w.record(i)
		}
		w.store.be(false)
		w.store.hangs = true
		end := w.run()
		synctest.Wait()
		for i := range 100 {
			w.record(bound + i)
		}
		w.store.mu.Lock()
		w.store.hangs = false
		w.store.mu.Unlock()
		time.Sleep(time.Minute)
		if got := w.store.details(); len(got) != bound || got[0] != "100" || got[bound-1] != fmt.Sprint(bound+99) {
			t.Errorf("%d, from %s to %s", len(got), got[0], got[len(got)-1])
		}
		end()
		w.expectDropped(t, 100)
	})
}

// A store can't tell whether it has an entry when the answer is lost. The mark tells it.
func TestAnEntryThatIsWrittenAgainHasItsMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		end := w.run()
		w.store.away, w.store.keeps = true, true
		w.record("a")
		time.Sleep(3 * time.Second)
		w.store.be(false)
		time.Sleep(3 * time.Second)
		end()
		if len(w.store.entries) < 2 {
			t.Fatal(w.store.entries)
		}
		for _, e := range w.store.entries {
			if e != w.store.entries[0] {
				t.Errorf("%+v and %+v", e, w.store.entries[0])
			}
		}
	})
}

func TestTheEndWritesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.store.be(true)
		w.record("a", "b")
		end := w.run()
		time.Sleep(500 * time.Millisecond)
		w.store.be(false)
		end()
		expect(t, w.store.details(), "a", "b")
		w.expectDropped(t, 0)
	})
}

func TestAtTheEndTheLogHasWhatTheStoreHasNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.store.be(true)
		w.Record(t.Context(), audit.Entry{Actor: "User/alice", Action: audit.UserDelete, Target: "User/bob", Outcome: audit.Done})
		end := w.run()
		end()
		w.expectDropped(t, 1)
		for _, part := range []string{"actor=User/alice", "action=user.delete", "target=User/bob", "outcome=done"} {
			if !strings.Contains(w.said.String(), part) {
				t.Errorf("no %s in %s", part, w.said)
			}
		}
	})
}
