package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/admin"
	"keywright.dev/keywright/internal/httpapi/graphql"
	"keywright.dev/keywright/internal/httpapi/keys"
	"keywright.dev/keywright/internal/httpapi/otlp"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/auditlog"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/instance"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/login"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/ownkey"
	"keywright.dev/keywright/internal/manage/revokedkeys"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/sessions"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/manage/usage/book"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/internal/program/loglimit"
	"keywright.dev/keywright/internal/server/endedkeys"
	"keywright.dev/keywright/internal/server/heartbeat"
	"keywright.dev/keywright/internal/server/liveconfig"
	"keywright.dev/keywright/internal/web/account"
	webclaims "keywright.dev/keywright/internal/web/claims"
	webinstance "keywright.dev/keywright/internal/web/instance"
	webkeys "keywright.dev/keywright/internal/web/keys"
	webusage "keywright.dev/keywright/internal/web/usage"
	webusers "keywright.dev/keywright/internal/web/users"
)

// databaseParts are the database and what keeps its data there.
type databaseParts struct {
	db       *database.DB
	sessions *sessions.Sessions
	// ended takes the keys that ended, and revoked those that are refused for good.
	ended   *endedkeys.Publisher
	revoked *revokedkeys.Memory
	seen    *seenusers.Recorder
	uses    *lastuse.Recorder
	trail   *audit.Trail
	// budgets has the counters that the gate decides with.
	budgets *book.Book
	// overBudget reports budgets that are used up on the keys that they concern.
	overBudget *book.Reporter
}

// newDatabaseParts does not connect to the database: the gate works without it. recordUses completes the parts.
func newDatabaseParts(
	url string, index *verify.Index, verifier *verify.Verifier, metrics prometheus.Registerer, log *slog.Logger,
) (*databaseParts, error) {
	db, err := database.New(url, log)
	if err != nil {
		return nil, err
	}
	p := &databaseParts{
		db:       db,
		sessions: sessions.New(sessions.Config{Store: db.Sessions(), Now: time.Now, Log: log}),
		seen:     seenusers.NewRecorder(db.SeenUsers(), verifier.IsKey, log),
		trail: audit.New(audit.Config{
			// An entry that cannot be stored is in the log, where none may be left out.
			Store: db.Audit(), Now: time.Now, Log: loglimit.Without(log), Registry: metrics, IsKey: verifier.IsKey,
		}),
	}
	p.budgets = book.New(book.Config{
		Store: db.Usage(), Accounts: verifier, StoreStarting: db.Starting, Now: time.Now, Log: log,
	})
	p.ended = endedkeys.New(p.sessions.EndForKeys)
	p.revoked = revokedkeys.New(revokedkeys.Config{
		Store: db.RevokedKeys(), Index: index, Ended: p.ended, Now: time.Now, Log: log,
	})
	return p, nil
}

// recordUses adds the recorders that write to the status of objects: of uses, and of budgets that are used up.
func (p *databaseParts) recordUses(
	verifier *verify.Verifier, store *objects.Store, metrics prometheus.Registerer, log *slog.Logger,
) {
	p.uses = lastuse.New(lastuse.Config{
		Store: p.db.LastUses(), Status: store, LastRecorded: verifier.LastUsed, Log: log, Registry: metrics,
	})
	p.overBudget = book.NewReporter(store, time.Now, log)
}

// limitTables applies the retentions and limits of the configuration in force.
func (p *databaseParts) limitTables(live *liveconfig.Config) {
	p.db.LimitAudit(func() (limits audit.Limits, known bool) {
		limits.Retention, limits.Most, known = live.AuditLimits()
		return limits, known
	})
	p.db.LimitUsage(func() (usage.Limits, bool) {
		limits, known := live.UsageLimits()
		return usage.Limits{
			Retention: limits.Retention, Most: limits.MaxRecords, RollupRetention: limits.RollupRetention,
		}, known
	})
}

// work lists what runs beside the requests.
func (p *databaseParts) work() []func(context.Context) {
	return []func(context.Context){
		p.db.Run, p.sessions.Run, p.revoked.Run, p.seen.Run, p.uses.Run, p.trail.Run, p.budgets.Run,
		p.overBudget.Run,
	}
}

// close closes the database. All work must have ended.
func (p *databaseParts) close() { _ = p.db.Close() }

// maxBodies bounds the bodies with token usage that the server reads at once: an eighth of the memory that it has in a
// cluster.
const maxBodies = 32 << 20

// managementParts are what management works with.
type managementParts struct {
	verifier *verify.Verifier
	store    *objects.Store
	database *databaseParts
	gate     *gate.Gate
	config   *liveconfig.Config
	usage    *tokenusage.Service
	instance *instance.Service
	log      *slog.Logger
}

// newInstance returns the use case that shows how this server runs.
func newInstance(
	o *options, g *gate.Gate, live *liveconfig.Config, db *database.DB, verifier *verify.Verifier,
	beat *heartbeat.Reporter,
) *instance.Service {
	return instance.New(instance.Config{
		Gate: g, Now: time.Now, Replicas: beat.Replicas,
		Program: instance.Program{
			Version: version, Namespace: o.Namespace, KeyNamespaces: o.KeyNamespaces, Replica: beat.Name(),
		},
		Configuration: func() instance.Configuration {
			settings, running, refused := live.InForce()
			return instance.Configuration{
				Settings: settings, Revision: running.Revision, Since: running.Since, Refused: refused,
			}
		},
		Database: func() instance.Database {
			state := instance.Database{Product: db.Product(), Err: db.Err()}
			if v := db.Volume(); v != nil {
				state.Free, state.Size = v.Free, v.Size
			}
			return state
		},
		Pepper: func() string { return verifier.Keyring().ActiveID() },
	})
}

// managementServices are the use cases of management, which the API and the pages call.
type managementServices struct {
	managementParts
	logins *login.Service
	users  *users.Service
	keys   *apikeys.Service
	own    *ownkey.Service
	claims *claims.Service
	trail  *auditlog.Service
}

func newManagementServices(p managementParts) *managementServices {
	db := p.database
	creations := &idempotency.Creations{Store: db.db.Creations(), Now: time.Now}
	s := &managementServices{
		managementParts: p,
		trail:           auditlog.New(p.gate, db.db.Audit()),
		logins: login.New(login.Config{
			Gate: p.gate, Sessions: db.sessions, Throttle: loginthrottle.New(), Trail: db.trail, Now: time.Now,
		}),
		users: users.New(users.Config{
			Gate: p.gate, Verifier: p.verifier, Store: p.store, Seen: db.db.SeenUsers(), Uses: db.db.LastUses(),
			Sessions: db.sessions, Trail: db.trail, Entries: db.db.Audit(), Turns: db.db, Creations: creations,
			Now: time.Now, Log: p.log,
		}),
		keys: apikeys.New(apikeys.Config{
			Gate: p.gate, Verifier: p.verifier, Store: p.store, Uses: db.db.LastUses(), Trail: db.trail,
			Entries: db.db.Audit(), Creations: creations, Account: p.config.Account, Actions: p.config.Actions,
			Now: time.Now, Log: p.log,
		}),
	}
	s.own = ownkey.New(ownkey.Config{Keys: s.keys, Users: s.users, Uses: db.db.LastUses(), Now: time.Now})
	s.claims = claims.New(claims.Config{
		Gate: p.gate, Verifier: p.verifier, Users: s.users, Keys: s.keys, Store: db.db.Claims(), Objects: p.store,
		Creations: creations, Throttle: loginthrottle.New(), Trail: db.trail, Now: time.Now, Log: p.log,
	})
	return s
}

// apiGroups is the one list of the groups of routes of the management API.
func (s *managementServices) apiGroups() []httpapi.Group {
	bodies := &httpapi.Bodies{Limit: usage.MaxBody, Total: maxBodies}
	return []httpapi.Group{
		admin.Login(s.logins),
		admin.Users(s.users),
		admin.Audit(s.trail),
		admin.Usage(s.usage, bodies),
		admin.Reprice(s.usage),
		admin.BudgetsOf(s.database.budgets),
		admin.Settings(s.instance),
		admin.Claims(s.claims),
		keys.New(s.keys),
		keys.Own(s.own),
		graphql.New(s.keys, s.log),
		otlp.New(s.usage, bodies),
	}
}

// pageGroups is the one list of the groups of pages.
func (s *managementServices) pageGroups() []httpapi.Group {
	return []httpapi.Group{
		account.New(account.Services{Login: s.logins, Keys: s.keys, Users: s.users, Usage: s.usage}),
		webusage.New(s.usage, s.database.budgets),
		webclaims.New(s.claims),
		webinstance.New(s.trail, s.instance),
		webkeys.New(s.keys, s.claims),
		webkeys.Page(s.keys),
		webusers.New(s.users, s.keys, s.claims),
	}
}
