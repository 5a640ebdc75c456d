package database_test

import (
	"log/slog"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/test/postgres"
)

// replica returns the sessions of one server.
func replica(t *testing.T, url string) *sessions.Sessions {
	t.Helper()
	s := sessions.New(sessions.Config{Store: open(t, url).Sessions(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	run(t, s.Run)
	return s
}

func TestSessions_ConsistentAcrossReplicas(t *testing.T) {
	server := postgres.Start(t)
	url, err := server.Database(t.Context())
	must(t, err)
	here, there := replica(t, url), replica(t, url)
	both := []*sessions.Sessions{here, there}
	isValid := func(cookie string) bool {
		for _, s := range both {
			if key := s.Key(cookie, time.Now()); key == nil || *key != digest(1) {
				return false
			}
		}
		return true
	}
	isOver := func(cookie string) bool {
		return here.Key(cookie, time.Now()) == nil && there.Key(cookie, time.Now()) == nil
	}
	for how, end := range map[string]func(cookie string) error{
		"logged out":       func(cookie string) error { return here.End(t.Context(), cookie) },
		"logged out there": func(cookie string) error { return there.End(t.Context(), cookie) },
		"demoted":          func(string) error { return there.EndForUser(t.Context(), "alice") },
		"rotated":          func(string) error { here.EndForKeys([]pepper.Digest{digest(1)}); return nil },
		"in a quick outage": func(cookie string) error {
			must(t, server.Crash(), server.Start())
			return eventuallyEnd(t, there, cookie)
		},
		"rotated while away": func(string) error {
			must(t, server.Stop())
			here.EndForKeys([]pepper.Digest{digest(1)})
			return server.Start()
		},
		"rotated and at once": func(string) error { there.EndForKeys([]pepper.Digest{digest(1)}); return nil },
	} {
		var cookie string
		eventually(t, "there is a session", func() bool {
			cookie, err = here.Begin(t.Context(), "alice", digest(1))
			return err == nil
		})
		if !isValid(cookie) {
			t.Errorf("%s: a new session is not valid at once", how)
		}
		must(t, end(cookie))
		eventually(t, how+": it is over", func() bool { return isOver(cookie) })
	}
}

func eventuallyEnd(t *testing.T, s *sessions.Sessions, cookie string) error {
	t.Helper()
	eventually(t, "it can be ended", func() bool { return s.End(t.Context(), cookie) == nil })
	return nil
}
