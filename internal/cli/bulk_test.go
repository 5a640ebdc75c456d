package cli_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestInterruptedBulk_SaysWhatWasDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFixture(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/apiv1/apikeys/k2":
			refuse(w, http.StatusConflict, "a manifest's object")
		case "/apiv1/apikeys/k3":
			cancel()
			<-r.Context().Done()
		default:
			changedKey(w, r)
		}
	})
	f.expect(ctx, t, 1, "Changed API key: x (k1), disabled\n",
		"Error: k2: HTTP 409: a manifest's object\n"+
			"Error: interrupted: 1 of 5 done, 1 failed. No reply, so done or not: k3. Not done: k4 k5\n",
		"keys", "set", "--disable", "k1", "k2", "k3", "k4", "k5")
	if got := f.asked(); strings.Contains(got, "k4") {
		t.Error(got)
	}
}

func TestInterruptedBulk_BetweenRequests(t *testing.T) {
	for name, c := range map[string]struct {
		last, stderr string
		code         int
	}{
		"before the last one": {"k1", "Error: interrupted: 1 of 2 done. Not done: k2\n", 1},
		"after the last one":  {"k2", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := newFixture(t, changedKey)
			f.Stdout = writerFunc(func(text []byte) {
				f.stdout.Write(text)
				if strings.Contains(string(text), c.last) {
					cancel()
				}
			})
			stdout := "Changed API key: x (k1), disabled\n"
			if c.last == "k2" {
				stdout += "Changed API key: x (k2), disabled\n"
			}
			f.expect(ctx, t, c.code, stdout, c.stderr, "keys", "set", "--disable", "k1", "k2")
		})
	}
}

type writerFunc func([]byte)

func (w writerFunc) Write(text []byte) (int, error) {
	w(text)
	return len(text), nil
}

// A long command shows on a terminal how far it is, after a second.
func TestProgress(t *testing.T) {
	bulk := []string{"keys", "set", "--disable", "-o", "name", "k1", "k2", "k3"}
	slow := func(f *fixture, step time.Duration) {
		f.reply = func(w http.ResponseWriter, r *http.Request) {
			f.now = f.now.Add(step)
			changedKey(w, r)
		}
	}
	for name, c := range map[string]struct {
		step time.Duration
		want string
	}{
		"over a second":  {time.Second, "\r\x1b[K1 of 3\r\x1b[K\r\x1b[K2 of 3\r\x1b[K"},
		"under a second": {300 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			terminal, tty, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, nil)
			slow(f, c.step)
			f.Stderr = tty
			f.expect(t.Context(), t, 0, "k1\nk2\nk3\n", "", bulk...)
			_ = tty.Close()
			// Reading ends with an error once the other side is closed.
			got, _ := io.ReadAll(terminal)
			_ = terminal.Close()
			if string(got) != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	t.Run("without a terminal", func(t *testing.T) {
		f := newFixture(t, nil)
		slow(f, time.Second)
		f.expect(t.Context(), t, 0, "k1\nk2\nk3\n", "", bulk...)
	})
}
