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

func TestAPodThatCanNotBeOneIsAnError(t *testing.T) {
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

// transport is an API server that answers nobody.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// unheard is a server whose writes come to nothing, on a clock of its own. tries are the times of them since the start.
type unheard struct {
	log   *kit.Log
	tries []time.Duration
}

// run runs it for that long and returns how long the stop took.
func (u *unheard) run(t *testing.T, runs time.Duration, answer transport) (stopping time.Duration) {
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

func TestAnAPIServerThatIsAwayIsTriedAgainWithGrowingPausesAndToldOfOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unheard{}
		u.run(t, 10*time.Minute, func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
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
		if told := u.log.Lines(""); len(told) != 1 || !strings.Contains(told[0], "connection refused") || !strings.Contains(told[0], `"level":"WARN"`) {
			t.Errorf("told %q", told)
		}
	})
}

// fine is the answer to a write that was taken.
func fine(*http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}`))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

func TestEachOutageBeginsWithShortPausesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unheard{}
		u.run(t, 4*time.Minute, func(r *http.Request) (*http.Response, error) {
			// The writes of the second minute are taken.
			if last := u.tries[len(u.tries)-1]; last > time.Minute && last < 2*time.Minute {
				return fine(r)
			}
			return nil, errors.New("connection refused")
		})
		again := slices.IndexFunc(u.tries, func(at time.Duration) bool { return at >= 2*time.Minute })
		if pause := u.tries[again+1] - u.tries[again]; pause > 2*time.Second {
			t.Errorf("a pause of %s after %s", pause, u.tries[again])
		}
		if warned, informed := u.log.Lines(`"WARN"`), u.log.Lines(`"INFO"`); len(warned) != 2 || len(informed) != 1 {
			t.Errorf("told %s and %s", warned, informed)
		}
	})
}

func TestAnAPIServerThatSaysNothingHoldsUpNoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unheard{}
		mute := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		if took := u.run(t, 5*time.Second, mute); took > 2*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if told := u.log.Lines(""); len(told) > 0 {
			t.Errorf("a write that was cut off by the stop is told: %s", told)
		}
		u = &unheard{}
		if took := u.run(t, 12*time.Second, mute); took > 2*time.Second || len(u.tries) != 3 || len(u.log.Lines("")) != 1 {
			t.Errorf("the stop took %s, tries %s, told %s", took, u.tries, u.log.Lines(""))
		}
	})
}
