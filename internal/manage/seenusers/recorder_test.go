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

// store has every sighting it was told of.
type store struct {
	seenusers.Store
	mu    sync.Mutex
	away  bool
	hangs bool
	saw   []seenusers.Sighting
	calls int
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
	if s.away {
		return errors.New("the database is away")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.saw = append(s.saw, sightings...)
	return nil
}

func (s *store) be(away bool) { s.mu.Lock(); defer s.mu.Unlock(); s.away = away }

// all is what it was told, and how often it was asked.
func (s *store) all() (saw []seenusers.Sighting, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.saw), s.calls
}

func (s *store) names() string {
	var names []string
	saw, _ := s.all()
	for _, one := range saw {
		names = append(names, one.Username)
	}
	return strings.Join(names, " ")
}

// inABubble has a recorder run until the test ends.
func inABubble(t *testing.T, test func(t *testing.T, r *seenusers.Recorder, s *store, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &store{}
		r := seenusers.NewRecorder(s, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); r.Run(ctx) }()
		end := func() { cancel(); <-ended }
		defer end()
		test(t, r, s, end)
	})
}

func TestANameIsNotedOnceAMinute(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		// Others come at other times.
		r.Record("bob", "", time.Now())
		time.Sleep(30 * time.Second)
		begun := time.Now()
		for time.Since(begun) < 10*time.Minute {
			r.Record("alice", "10.0.0.1", time.Now())
			time.Sleep(time.Second)
		}
		saw, _ := s.all()
		if len(saw) != 11 {
			t.Fatal(len(saw)-1, " times in 10 minutes")
		}
		for i, one := range saw[1:] {
			if want := (seenusers.Sighting{Username: "alice", From: "10.0.0.1", At: begun.Add(time.Duration(i) * time.Minute)}); one != want {
				t.Errorf("%v, want %v", one, want)
			}
		}
	})
}

func TestNamesAreApart(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		for _, name := range []string{"alice", "Alice", "alice", "Zoë ☃"} {
			r.Record(name, "", time.Now())
			time.Sleep(2 * time.Second)
		}
		if got := s.names(); got != "alice Alice Zoë ☃" {
			t.Error(got)
		}
		if _, calls := s.all(); calls != 3 {
			t.Error("idle, and asked ", calls, " times")
		}
	})
}

func TestNamesThatAreNotNoted(t *testing.T) {
	secret, err := keyformat.Format{Prefix: keyformat.DefaultPrefix}.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, end func()) {
		for _, name := range []string{"", "admin", "Admin", "ADMIN", "a\nb", "a\x00", "a\xff", "\u202eevil", strings.Repeat("x", 101), secret} {
			r.Record(name, "10.0.0.1", time.Now())
		}
		r.Record(strings.Repeat("x", 100), strings.Repeat("1", 100), time.Now())
		r.Record("administrator", "1\n2", time.Now())
		end()
		if saw, _ := s.all(); len(saw) != 2 || saw[0].From != "" || saw[1].From != "" {
			t.Error(saw)
		}
	})
}

func TestSightingsWaitForTheStore(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		s.be(true)
		r.Record("alice", "", time.Now())
		time.Sleep(90 * time.Second)
		last := time.Now()
		r.Record("alice", "", last)
		time.Sleep(time.Hour)
		if _, calls := s.all(); calls > 3700 {
			t.Error("asked ", calls, " times in an hour")
		}
		s.be(false)
		time.Sleep(5 * time.Second)
		if saw, _ := s.all(); len(saw) != 1 || !saw[0].At.Equal(last) {
			t.Error(saw)
		}
	})
}

// Anybody can make names up.
func TestAFloodOfNamesIsBounded(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		s.be(true)
		for minute := range 3 {
			for i := range 2 * seenusers.MaxNames {
				r.Record(fmt.Sprint("flood-", minute, "-", i), "", time.Now())
			}
			time.Sleep(time.Minute)
		}
		s.be(false)
		time.Sleep(5 * time.Second)
		if saw, _ := s.all(); len(saw) != seenusers.MaxNames {
			t.Error(len(saw))
		}
		r.Record("alice", "", time.Now())
		time.Sleep(5 * time.Second)
		if got := s.names(); !strings.HasSuffix(got, " alice") {
			t.Error("once it is over, people are noted again")
		}
	})
}

func TestAFloodOfNamesIsBoundedWhileTheStoreTakesThem(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, _ func()) {
		begun := time.Now()
		for i := 0; time.Since(begun) < 59*time.Second; i++ {
			for j := range 1000 {
				r.Record(fmt.Sprint("flood-", i, "-", j), "", time.Now())
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		if saw, _ := s.all(); len(saw) != seenusers.MaxNames {
			t.Error(len(saw), " names in a minute")
		}
	})
}

func TestNotingNeverWaits(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, end func()) {
		s.hangs = true
		begun := time.Now()
		r.Record("alice", "", time.Now())
		time.Sleep(2 * time.Second) // the write is under way
		begun = begun.Add(2 * time.Second)
		for i := range 1000 {
			r.Record(fmt.Sprint(i), "", time.Now())
		}
		if took := time.Since(begun); took != 0 {
			t.Error(took)
		}
		end()
		if took := time.Since(begun); took > 4*time.Second {
			t.Error("the end took ", took)
		}
	})
}

func TestTheEndWritesWhatWaits(t *testing.T) {
	inABubble(t, func(t *testing.T, r *seenusers.Recorder, s *store, end func()) {
		r.Record("alice", "", time.Now())
		end()
		if got := s.names(); got != "alice" {
			t.Error(got)
		}
	})
}

func TestAnOutageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := &kit.Log{}
		s := &store{away: true}
		r := seenusers.NewRecorder(s, slog.New(slog.NewTextHandler(said, nil)))
		ctx, cancel := context.WithCancel(context.Background())
		go r.Run(ctx)
		r.Record("alice", "", time.Now())
		time.Sleep(time.Hour)
		if got := said.Lines("cannot be written and wait"); len(got) != 1 {
			t.Error(said)
		}
		cancel()
	})
}

func TestConcurrentNotes(t *testing.T) {
	s := &store{}
	r := seenusers.NewRecorder(s, slog.New(slog.DiscardHandler))
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
	if saw, _ := s.all(); len(saw) != 100 {
		t.Error(len(saw))
	}
}
