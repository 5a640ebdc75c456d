package admin_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/kube/serverlease"
	"keywright.dev/keywright/internal/manage/instance"
)

const settingsPath = "/api/admin/settings"

// instance returns the use case of an instance with two replicas. The other one lags behind.
func (e *env) instance() *instance.Service {
	return instance.New(instance.Config{
		Gate: e.gate, Now: func() time.Time { return e.now },
		Program: instance.Program{Version: "v1.2.3", Namespace: "keywright-system", Replica: "keywright-server-a"},
		Configuration: func() instance.Configuration {
			return instance.Configuration{
				Settings: config.Runtime{BootstrapDigest: "hmac-sha256:p1:00ff", DenyUnmatched: true},
				Revision: "aaaaaaaaaaaa", Since: begin.Add(-time.Hour),
			}
		},
		Database: func() instance.Database { return instance.Database{Product: "SQLite"} },
		Pepper:   func() string { return "p1" },
		Replicas: func(context.Context) ([]serverlease.Replica, error) {
			until := begin.Add(time.Minute)
			return []serverlease.Replica{
				{Name: "keywright-server-a", Revision: "aaaaaaaaaaaa", Renewed: begin, Until: until},
				{Name: "keywright-server-b", Renewed: begin, Until: until},
			}, nil
		},
	})
}

func TestSettings_Show(t *testing.T) {
	e := newEnv(t)
	r := e.ask("GET", settingsPath, aliceKey, "")
	var got struct {
		Settings []struct {
			Name            string
			Value           *string
			Default, Secret bool
		}
	}
	if err := json.Unmarshal(r.Body.Bytes(), &got); r.Code != 200 || err != nil || len(got.Settings) != 22 {
		t.Fatal(r.Code, r.Body)
	}
	if s := got.Settings[0]; s.Name != "ADMIN_KEY_SECRET" || s.Value != nil || s.Default || !s.Secret {
		t.Errorf("%+v", s)
	}
	if s := got.Settings[10]; s.Name != "UNMATCHED" || s.Value == nil || *s.Value != "deny" || s.Default || s.Secret {
		t.Errorf("%+v", s)
	}
	var rest map[string]any
	_ = json.Unmarshal(r.Body.Bytes(), &rest)
	delete(rest, "settings")
	const want = `{"database":{"problem":null,"product":"SQLite"},"in_step":false,"key_namespaces":[],` +
		`"namespace":"keywright-system","pepper":"p1","refused":null,"replicas":[` +
		`{"in_step":true,"name":"keywright-server-a","reported_at":"2030-01-01T12:00:00Z","revision":"aaaaaaaaaaaa","this":true},` +
		`{"in_step":false,"name":"keywright-server-b","reported_at":"2030-01-01T12:00:00Z","revision":null,"this":false}],` +
		`"revision":"aaaaaaaaaaaa","since":"2030-01-01T11:00:00Z","version":"v1.2.3"}`
	if got := mustJSON(rest); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSettings_AreForAdmins(t *testing.T) {
	e := newEnv(t)
	for _, key := range []string{"", plainKey, readerKey, usageKey, writerKey, "unknown"} {
		r := e.ask("GET", settingsPath+"?x=1", key, "")
		if r.Code != 403 || detail(r) != "Admin access required" {
			t.Errorf("%q: %d %s", key, r.Code, r.Body)
		}
	}
	if r := e.ask("GET", settingsPath+"?x=1", aliceKey, ""); r.Code != 400 || detail(r) != `"x" is not a parameter` {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}
