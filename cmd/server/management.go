package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/httpapi/graphql"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/httpapi/openapi"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/internal/manage/users"
)

// memory is what the server remembers that is no object on the cluster.
type memory struct {
	database *database.DB
	sessions *sessions.Sessions
	seen     *seenusers.Recorder
	uses     *lastuse.Recorder
	trail    *audit.Trail
}

// remember does not talk to the database yet: the gate does not wait for it. The objects that uses are of are in the registry.
func remember(url string, verifier *verify.Verifier, registry *objects.Store, metrics prometheus.Registerer, log *slog.Logger) (*memory, error) {
	db, err := database.New(url, log)
	if err != nil {
		return nil, err
	}
	return &memory{
		database: db,
		sessions: sessions.New(sessions.Config{Store: db.Sessions(), Now: time.Now, Log: log}),
		seen:     seenusers.NewRecorder(db.SeenUsers(), log),
		uses: lastuse.New(lastuse.Config{
			Store: db.LastUses(), Status: registry, LastRecorded: verifier.LastUsed, Log: log, Registry: metrics,
		}),
		trail: audit.New(audit.Config{Store: db.Audit(), Now: time.Now, Log: log, Registry: metrics}),
	}, nil
}

// work is all that goes on beside the requests.
func (m *memory) work() []func(context.Context) {
	return []func(context.Context){m.database.Run, m.sessions.Run, m.seen.Run, m.uses.Run, m.trail.Run}
}

// close comes after all work has ended.
func (m *memory) close() { _ = m.database.Close() }

// takeObjects does not talk to the API server yet.
func (s *service) takeObjects(config *rest.Config, o *options, log *slog.Logger) (err error) {
	s.objects, err = objects.New(objects.Options{
		REST: config, Namespace: o.Namespace, KeyNamespaces: o.KeyNamespaces, Verifier: s.verifier,
		Format: s.verifier.Format, Ring: s.verifier.Keyring, Random: rand.Reader, Now: time.Now, Log: log, Instance: os.Getenv("POD_NAME"),
	})
	return err
}

// management is the handlers of what people and programs manage Keywright by, each under its path.
func (s *service) management(log *slog.Logger) (map[string]http.Handler, error) {
	document, err := openapi.New()
	if err != nil {
		return nil, err
	}
	apiKeys := s.keys(log)
	return map[string]http.Handler{
		"/api/": admin.New(admin.Config{
			Gate: s.gate, Users: s.users(log), Sessions: s.memory.sessions, Throttle: loginthrottle.New(), Trail: s.memory.trail,
			Entries: s.memory.database.Audit(), Database: s.memory.database, Now: time.Now, Log: log,
		}),
		"/apiv1/": keys.New(keys.Config{
			Gate: s.gate, Keys: apiKeys, Sessions: s.memory.sessions, Database: s.memory.database, Now: time.Now, Log: log,
		}),
		"/graphql": graphql.New(graphql.Config{
			Gate: s.gate, Keys: apiKeys, Sessions: s.memory.sessions, Database: s.memory.database, Log: log,
		}),
		"/openapi.yaml": document,
		"/docs":         document,
	}, nil
}

func (s *service) users(log *slog.Logger) *users.Service {
	return users.New(users.Config{
		Gate: s.gate, Registry: s.objects, Names: s.verifier, Seen: s.memory.database.SeenUsers(), Uses: s.memory.database.LastUses(),
		Sessions: s.memory.sessions, Trail: s.memory.trail, Turns: s.memory.database, Now: time.Now, Log: log,
	})
}

func (s *service) keys(log *slog.Logger) *apikeys.Service {
	return apikeys.New(apikeys.Config{
		Gate: s.gate, Verifier: s.verifier, Registry: s.objects, Uses: s.memory.database.LastUses(), Trail: s.memory.trail,
		Account: s.config.Account, Actions: s.config.Actions, Now: time.Now, Log: log,
	})
}
