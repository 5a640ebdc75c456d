package heartbeat_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"keywright.dev/keywright/internal/server/heartbeat"
	"keywright.dev/keywright/test/kit"
)

func TestNew_ValidatesPodName(t *testing.T) {
	for pod, good := range map[string]bool{
		"":                                 true,
		"keywright-server-7d9c8-x2x4v":     true,
		"another.name":                     true,
		"Keywright":                        false,
		"a/../b":                           false,
		"a b":                              false,
		"keywright-server-":                false,
		strings.Repeat("x", 253):           false,
		strings.Repeat("x", 236):           true,
		"keywright-operator\x00\xff\nevil": false,
	} {
		_, err := heartbeat.New(heartbeat.Options{
			REST: &rest.Config{}, Namespace: "keywright-system", Pod: pod, Clock: clock.RealClock{}, Log: logTo(&kit.Log{}),
		})
		if (err == nil) != good {
			t.Errorf("%q: %v", pod, err)
		}
	}
}

// transport replies in place of an API server.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// isolated is a server without an API server.
type isolated struct {
	log *kit.Log
	// tries are the times of all writes since the start.
	tries []time.Duration
}

// run runs the server for a time and returns how long the shutdown took.
func (u *isolated) run(t *testing.T, runs time.Duration, answer transport) (stopping time.Duration) {
	t.Helper()
	began := time.Now()
	counted := transport(func(r *http.Request) (*http.Response, error) {
		u.tries = append(u.tries, time.Since(began))
		return answer(r)
	})
	s := newServer(t, &rest.Config{Host: "http://nowhere.invalid", Transport: counted}, clock.RealClock{}, "pod-a", "")
	u.log = s.log
	s.start()
	time.Sleep(runs)
	stopped := time.Now()
	s.stop()
	return time.Since(stopped)
}

func TestRun_BacksOffAndLogsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &isolated{}
		refuse := func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }
		u.run(t, 10*time.Minute, refuse)
		if n := len(u.tries); n < 25 || n > 60 {
			t.Errorf("%d tries in ten minutes", n)
		}
		for i := 1; i < len(u.tries)-1; i++ {
			if pause := u.tries[i] - u.tries[i-1]; pause < time.Second || pause > 23*time.Second {
				t.Errorf("a pause of %s", pause)
			}
		}
		if early := u.tries[1]; early > 2*time.Second {
			t.Errorf("tried again after %s", early)
		}
		logged := u.log.Lines("")
		if len(logged) != 1 || !strings.Contains(logged[0], "connection refused") ||
			!strings.Contains(logged[0], `"level":"WARN"`) {
			t.Errorf("logged %q", logged)
		}
	})
}

// accept replies to a successful write.
func accept(*http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`))
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: body}, nil
}

func TestRun_ResetsBackoffAfterSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &isolated{}
		u.run(t, 4*time.Minute, func(r *http.Request) (*http.Response, error) {
			// Writes in the second minute succeed.
			if last := u.tries[len(u.tries)-1]; last > time.Minute && last < 2*time.Minute {
				return accept(r)
			}
			return nil, errors.New("connection refused")
		})
		again := slices.IndexFunc(u.tries, func(at time.Duration) bool { return at >= 2*time.Minute })
		if pause := u.tries[again+1] - u.tries[again]; pause > 2*time.Second {
			t.Errorf("a pause of %s after %s", pause, u.tries[again])
		}
		if warned, informed := u.log.Lines(`"WARN"`), u.log.Lines(`"INFO"`); len(warned) != 2 || len(informed) != 1 {
			t.Errorf("logged %s and %s", warned, informed)
		}
	})
}

func TestRun_HangingAPIServerDelaysNoShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &isolated{}
		hang := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		if took := u.run(t, 5*time.Second, hang); took > 2*time.Second {
			t.Errorf("the shutdown took %s", took)
		}
		if logged := u.log.Lines(""); len(logged) > 0 {
			t.Errorf("a write that the shutdown canceled is logged: %s", logged)
		}
		u = &isolated{}
		if took := u.run(t, 12*time.Second, hang); took > 2*time.Second || len(u.tries) != 3 || len(u.log.Lines("")) != 1 {
			t.Errorf("the shutdown took %s, tries %s, logged %s", took, u.tries, u.log.Lines(""))
		}
	})
}
