package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/test/kit"
)

// waiting is a new replica that waits for its database.
type waiting struct {
	*databaseWait
	failing, hasAnswered bool
	served               bool
	unknown              error
	written              kit.Log
	warnings             []string
}

func newWaiting(limit time.Duration) *waiting {
	w := &waiting{failing: true}
	w.databaseWait = &databaseWait{
		limit: limit, answered: func() bool { return w.hasAnswered }, log: slog.New(slog.NewTextHandler(&w.written, nil)),
		failure: func() error {
			if w.failing {
				return errors.New("PostgreSQL: connection refused")
			}
			return nil
		},
		others: func(context.Context) (bool, error) { return w.served, w.unknown },
		warn:   func(text string) { w.warnings = append(w.warnings, text) },
	}
	w.over.Store(limit == 0)
	return w
}

func TestDatabaseWait_Ends(t *testing.T) {
	began := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	const limit = 2 * time.Minute
	for name, c := range map[string]struct {
		limit time.Duration
		at    []time.Duration
		edit  func(w *waiting, step int)
		ready []bool
	}{
		"after the limit": {
			limit: limit, at: []time.Duration{0, time.Minute, limit, time.Hour},
			ready: []bool{false, false, true, true},
		},
		"not while another replica has its database": {
			limit: limit, at: []time.Duration{limit, time.Hour, 2 * time.Hour},
			edit:  func(w *waiting, step int) { w.served = step < 2 },
			ready: []bool{false, false, true},
		},
		"not on a failure to ask for the others": {
			limit: limit, at: []time.Duration{limit, time.Hour, 2 * time.Hour},
			edit: func(w *waiting, step int) {
				w.served, w.unknown = step == 0, nil
				if step == 1 {
					w.unknown = errors.New("timeout")
				}
			},
			ready: []bool{false, false, true},
		},
		"for good, whatever other replicas start later": {
			limit: limit, at: []time.Duration{limit, time.Hour},
			edit:  func(w *waiting, step int) { w.served = step == 1 },
			ready: []bool{true, true},
		},
		"with the first answer": {
			limit: limit, at: []time.Duration{0, time.Minute},
			edit: func(w *waiting, step int) {
				w.served, w.hasAnswered, w.failing = true, step == 1, step == 0
			},
			ready: []bool{false, true},
		},
		"before it begins, with 0": {
			at: []time.Duration{0}, edit: func(w *waiting, _ int) { w.served = true }, ready: []bool{true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiting(c.limit)
			var ready []bool
			for i, at := range c.at {
				if c.edit != nil {
					c.edit(w, i)
				}
				w.step(t.Context(), began, began.Add(at))
				ready = append(ready, w.err() == nil)
			}
			if !slices.Equal(ready, c.ready) {
				t.Errorf("ready: %v, want %v", ready, c.ready)
			}
		})
	}
}

// The log repeats the failure, there is an event as long as the failure lasts, and the end of the wait is reported at
// once.
func TestDatabaseWait_Reports(t *testing.T) {
	began := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	w := newWaiting(2 * time.Minute)
	for i, c := range []struct {
		at            time.Duration
		lines, events int
	}{
		{5 * time.Second, 0, 0}, {10 * time.Second, 1, 1}, {15 * time.Second, 1, 1}, {40 * time.Second, 2, 1},
		{2 * time.Minute, 3, 2}, {3 * time.Minute, 4, 2}, {58 * time.Minute, 5, 3},
	} {
		w.step(t.Context(), began, began.Add(c.at))
		if lines := w.written.Lines("connection refused"); len(lines) != c.lines || len(w.warnings) != c.events {
			t.Fatalf("step %d: lines %q, events %q", i, lines, w.warnings)
		}
	}
	for i, says := range []string{"is not ready until", "is ready without it", "is ready without it"} {
		if !strings.Contains(w.warnings[i], says) || !strings.Contains(w.warnings[i], "PostgreSQL: connection refused") {
			t.Error(w.warnings[i])
		}
	}
}

func TestRun_IsNotReadyBeforeTheFirstAnswerOfItsDatabase(t *testing.T) {
	away := closedPort(t)
	for wait, line := range map[string]string{
		"--database-wait=1h": "[-] database: PostgreSQL: ",
		"--database-wait=0":  "[+] database: ok for verification; management is refused: PostgreSQL: ",
	} {
		t.Run(wait, func(t *testing.T) {
			s := start(t, "--pepper-dir="+goodPepper(t), "--kubeconfig="+kubeconfigFor(t, "http://"+away),
				"--metrics-listen=0", wait, "--database=postgres://keywright:secret@"+away+"/keywright")
			eventually(t, "/readyz has the failure", func() bool {
				status, body := get(t, s.url+"/readyz?verbose")
				return status == http.StatusServiceUnavailable && strings.Contains(body, line)
			})
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A switch of Deployments may start a second server on the file of the first: it waits, and the first goes on.
func TestRun_TwoServersNeverOpenOneFile(t *testing.T) {
	away := closedPort(t)
	args := []string{
		"--pepper-dir=" + goodPepper(t), "--kubeconfig=" + kubeconfigFor(t, "http://"+away), "--metrics-listen=0",
		"--database=" + filepath.Join(t.TempDir(), "db"),
	}
	database := func(s *started) string {
		_, body := get(t, s.url+"/readyz?verbose")
		_, line, _ := strings.Cut(body, "] database: ")
		line, _, _ = strings.Cut(line, "\n")
		return line
	}
	first := start(t, args...)
	eventually(t, "the first has the file", func() bool { return database(first) == "ok" })
	second := start(t, args...)
	const taken = "SQLite: another process has the file open"
	eventually(t, "the second waits", func() bool { return database(second) == taken })
	if now := database(first); now != "ok" {
		t.Error(now)
	}
	if err := first.stop(); err != nil {
		t.Error(err)
	}
	eventually(t, "the second has the file", func() bool { return database(second) == "ok" })
	if err := second.stop(); err != nil {
		t.Error(err)
	}
}
