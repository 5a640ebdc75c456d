package seenusers_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/test/kit"
)

// store records the saved sightings.
type store struct {
	seenusers.Store
	mu          sync.Mutex
	unavailable bool
	hangs       bool
	saved       []seenusers.Sighting
	calls       int
}

func (s *store) Save(ctx context.Context, sightings []seenusers.Sighting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.hangs {
		s.mu.Unlock()
		<-ctx.Done()
		s.mu.Lock()
		return ctx.Err()
	}
	if s.unavailable {
		return errors.New("the database is unavailable")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.saved = append(s.saved, sightings...)
	return nil
}

func (s *store) setUnavailable(is bool) { s.mu.Lock(); defer s.mu.Unlock(); s.unavailable = is }

// all returns the saved sightings and the number of calls.
func (s *store) all() (saved []seenusers.Sighting, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.saved), s.calls
}

func (s *store) names() string {
	var names []string
	saved, _ := s.all()
	for _, one := range saved {
		names = append(names, one.Username)
	}
	return strings.Join(names, " ")
}

// withRecorder runs a recorder until the test ends or end is called.
func withRecorder(t *testing.T, test func(t *testing.T, r *seenusers.Recorder, s *store, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		r := seenusers.NewRecorder(s, isKey, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		end := func() { cancel(); <-ended }
		defer end()
		test(t, r, s, end)
	})
}

func TestRecord_OncePerMinute(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		// The minute of one name is independent of other names.
		r.Record("bob", "", time.Now())
		time.Sleep(30 * time.Second)
		begun := time.Now()
		for time.Since(begun) < 10*time.Minute {
			r.Record("alice", "10.0.0.1", time.Now())
			time.Sleep(time.Second)
		}
		saved, _ := s.all()
		if len(saved) != 11 {
			t.Fatal(len(saved)-1, " times in 10 minutes")
		}
		for i, one := range saved[1:] {
			at := begun.Add(time.Duration(i) * time.Minute)
			if want := (seenusers.Sighting{Username: "alice", From: "10.0.0.1", At: at}); one != want {
				t.Errorf("%v, want %v", one, want)
			}
		}
	})
}

func TestRecord_NamesAreCaseSensitive(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		for _, name := range []string{"alice", "Alice", "alice", "Zoë ☃"} {
			r.Record(name, "", time.Now())
			time.Sleep(2 * time.Second)
		}
		if got := s.names(); got != "alice Alice Zoë ☃" {
			t.Error(got)
		}
		if _, calls := s.all(); calls != 3 {
			t.Error("calls: ", calls)
		}
	})
}

// recordedKey is a key that a person brought.
const recordedKey = "correct-horse-battery"

func isKey(text string) bool { return text == recordedKey }

func TestRecord_SkipsUnusableNames(t *testing.T) {
	secret, err := keyformat.Format{Prefix: keyformat.DefaultPrefix}.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, end func()) {
		for _, name := range []string{
			"", "admin", "Admin", "ADMIN", "a\nb", "a\x00", "a\xff", "\u202eevil", strings.Repeat("x", 101), secret,
			recordedKey, "alice " + recordedKey, secret + " of alice",
		} {
			r.Record(name, "10.0.0.1", time.Now())
		}
		r.Record(strings.Repeat("x", 100), strings.Repeat("1", 100), time.Now())
		r.Record("administrator", "1\n2", time.Now())
		end()
		if saved, _ := s.all(); len(saved) != 2 || saved[0].From != "" || saved[1].From != "" {
			t.Error(saved)
		}
	})
}

func TestOutage_SightingsWait(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		s.setUnavailable(true)
		r.Record("alice", "", time.Now())
		time.Sleep(90 * time.Second)
		last := time.Now()
		r.Record("alice", "", last)
		time.Sleep(time.Hour)
		if _, calls := s.all(); calls > 3700 {
			t.Error(calls, " calls in an hour")
		}
		s.setUnavailable(false)
		time.Sleep(5 * time.Second)
		if saved, _ := s.all(); len(saved) != 1 || !saved[0].At.Equal(last) {
			t.Error(saved)
		}
	})
}

func TestRecord_FloodDuringOutageIsBounded(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		s.setUnavailable(true)
		for minute := range 3 {
			for i := range 2 * seenusers.MaxNames {
				r.Record(fmt.Sprint("flood-", minute, "-", i), "", time.Now())
			}
			time.Sleep(time.Minute)
		}
		s.setUnavailable(false)
		time.Sleep(5 * time.Second)
		if saved, _ := s.all(); len(saved) != seenusers.MaxNames {
			t.Error(len(saved))
		}
		r.Record("alice", "", time.Now())
		time.Sleep(5 * time.Second)
		if got := s.names(); !strings.HasSuffix(got, " alice") {
			t.Error("names are not recorded after the flood")
		}
	})
}

func TestRecord_FloodIsBounded(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		begun := time.Now()
		for i := 0; time.Since(begun) < 59*time.Second; i++ {
			for j := range 1000 {
				r.Record(fmt.Sprint("flood-", i, "-", j), "", time.Now())
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		if saved, _ := s.all(); len(saved) != seenusers.MaxNames {
			t.Error(len(saved), " names in a minute")
		}
	})
}

func TestRecord_NeverBlocks(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, end func()) {
		s.hangs = true
		begun := time.Now()
		r.Record("alice", "", time.Now())
		time.Sleep(2 * time.Second) // the write is in progress
		begun = begun.Add(2 * time.Second)
		for i := range 1000 {
			r.Record(fmt.Sprint(i), "", time.Now())
		}
		if took := time.Since(begun); took != 0 {
			t.Error(took)
		}
		end()
		if took := time.Since(begun); took > 4*time.Second {
			t.Error("the shutdown took ", took)
		}
	})
}

func TestShutdown_WritesWaitingSightings(t *testing.T) {
	withRecorder(t, func(t *testing.T, r *seenusers.Recorder, s *store, end func()) {
		r.Record("alice", "", time.Now())
		end()
		if got := s.names(); got != "alice" {
			t.Error(got)
		}
	})
}

func TestOutage_LoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &kit.Log{}
		s := &store{unavailable: true}
		r := seenusers.NewRecorder(s, isKey, slog.New(slog.NewTextHandler(log, nil)))
		ctx, cancel := context.WithCancel(context.Background())
		go r.Run(ctx)
		r.Record("alice", "", time.Now())
		time.Sleep(time.Hour)
		if got := log.Lines("cannot be written and wait"); len(got) != 1 {
			t.Error(log)
		}
		cancel()
	})
}

func TestRecord_Concurrent(t *testing.T) {
	s := &store{}
	r := seenusers.NewRecorder(s, isKey, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var all, running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	for n := range 8 {
		all.Go(func() {
			for i := range 200 {
				r.Record(fmt.Sprint("user-", (n*i)%100), "", time.Now())
			}
		})
	}
	all.Wait()
	cancel()
	running.Wait()
	if saved, _ := s.all(); len(saved) != 100 {
		t.Error(len(saved))
	}
}
