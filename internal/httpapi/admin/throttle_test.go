package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/config"
)

// Repeated failures are delayed more and more, and refused within 60 tries.
func TestThrottle_DelaysThenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t)
		limited := env.lockOut(t)
		after := limited.Header().Get("Retry-After")
		if after == "" || after == "0" || detail(limited) == "" {
			t.Fatalf("%d %s %v", limited.Code, limited.Body, limited.Header())
		}
		for name, key := range map[string]string{"alice": bobKey, "bob": aliceKey} {
			if got := env.ask("POST", loginPath, "", claim(name, key)); got.Code != http.StatusTooManyRequests {
				t.Error("a wrong key from there:", got.Code, got.Body)
			}
		}
		r := httptest.NewRequest(http.MethodPost, loginPath, strings.NewReader(claim("bob", aliceKey)))
		r.RemoteAddr = "198.51.100.7:1"
		if got := env.serve(r); got.Code != http.StatusUnauthorized {
			t.Error("bob's name from elsewhere, after failures with the name alice:", got.Code, got.Body)
		}
		env.now = env.now.Add(time.Hour)
		if got := env.ask("POST", loginPath, "", claim("alice", bobKey)); got.Code != http.StatusUnauthorized {
			t.Error("an hour later:", got.Code, got.Body)
		}
	})
}

// lockOut fails with the name alice until that is refused by the throttle, within 60 tries.
func (e *env) lockOut(t *testing.T) (limited *httptest.ResponseRecorder) {
	t.Helper()
	for range 60 {
		limited = e.ask("POST", loginPath, "", claim("alice", "a-key-that-was-never-issued"))
		if limited.Code == http.StatusTooManyRequests {
			return limited
		}
	}
	t.Fatalf("after 60 tries: %d %s", limited.Code, limited.Body)
	return nil
}

// Strangers who share the address, or who use the name, cannot lock out the holder of a right key.
func TestThrottle_DelaysRightKeyAtMost(t *testing.T) {
	for name, c := range map[string]struct{ username, key, remote string }{
		"another user at that address":      {"bob", bobKey, "192.0.2.1:1"},
		"the bootstrap key at that address": {"admin", bootstrapKey, "192.0.2.1:1"},
		"that user at that address":         {"alice", aliceKey, "192.0.2.1:1"},
		"that user elsewhere":               {"alice", aliceKey, "198.51.100.7:1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			env := newEnv(t)
			env.lockOut(t)
			r := httptest.NewRequest(http.MethodPost, loginPath, strings.NewReader(claim(c.username, c.key)))
			r.RemoteAddr = c.remote
			asked := time.Now()
			got := env.serve(r)
			if took := time.Since(asked); got.Code != http.StatusOK || took == 0 || took >= time.Second {
				t.Errorf("%s: %d %s after %s", name, got.Code, got.Body, took)
			}
		})
	}
}

// Clients of a trusted proxy are counted apart. Those of any other proxy share its address.
func TestThrottle_CountsClientsOfTrustedProxy(t *testing.T) {
	for name, c := range map[string]struct {
		trusted string
		want    int
	}{"trusted": {"192.0.2.0/24", http.StatusUnauthorized}, "another is": {"10.0.0.0/8", http.StatusTooManyRequests}} {
		synctest.Test(t, func(t *testing.T) {
			env := newEnv(t)
			env.use(t, config.Runtime{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(c.trusted)}})
			try := func(username, client string) int {
				r := httptest.NewRequest(http.MethodPost, loginPath, strings.NewReader(claim(username, writerKey)))
				r.Header["X-Forwarded-For"] = []string{"203.0.113.66", client}
				return env.serve(r).Code
			}
			for range 20 {
				try("mallory", "203.0.113.9")
			}
			if got := try("bob", "203.0.113.10"); got != c.want {
				t.Errorf("%s: another client and user: %d, want %d", name, got, c.want)
			}
			if got := try("bob", "203.0.113.9"); got != http.StatusTooManyRequests {
				t.Errorf("%s: that client and another user: %d", name, got)
			}
		})
	}
}

// Every refused try goes to the audit trail, which counts those of one address.
func TestThrottle_RecordsRefusedTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t)
		for range 60 {
			env.ask("POST", loginPath, "", claim("alice", "a-key-that-was-never-issued"))
		}
		limited := 0
		for _, e := range env.memory.entries {
			if e.Action != "login" || e.Target != "User/alice" || e.Outcome != "refused" || e.From != "192.0.2.1" {
				t.Errorf("%+v", e)
			}
			if e.Detail == "too many failed logins" {
				limited++
			}
		}
		if limited == 0 || limited == 60 || len(env.memory.entries) != 60 {
			t.Errorf("%d of %d: %+v", limited, len(env.memory.entries), env.memory.entries)
		}
	})
}

// A client that does not wait for its reply has tried nevertheless.
func TestThrottle_CountsAbandonedTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 60 {
			env.serve(httptest.NewRequestWithContext(
				ctx, "POST", loginPath, strings.NewReader(claim("alice", "a-key-that-was-never-issued")),
			))
		}
		asked := time.Now()
		env.ask("POST", loginPath, "", claim("alice", "a-key-that-was-never-issued"))
		if took := time.Since(asked); took != 400*time.Millisecond {
			t.Errorf("the next try is delayed by %s", took)
		}
	})
}

// Failures from other addresses do not lock a user out.
func TestThrottle_AcceptsRightKeyFromOtherAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := newEnv(t)
		login := func(from int, key string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, loginPath, strings.NewReader(claim("alice", key)))
			r.RemoteAddr = fmt.Sprintf("198.51.100.%d:1", from)
			return env.serve(r)
		}
		for i := range 20 {
			got := login(i, "a-key-that-was-never-issued")
			isLimited := got.Code == http.StatusTooManyRequests && got.Header().Get("Retry-After") == "60"
			if isLimited != (i >= 12) || !isLimited && got.Code != http.StatusUnauthorized {
				t.Errorf("try %d: %d %s", i, got.Code, got.Body)
			}
		}
		if got := login(100, aliceKey); got.Code != http.StatusOK {
			t.Error(got.Code, got.Body)
		}
	})
}
