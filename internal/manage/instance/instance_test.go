package instance_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/serverlease"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/instance"
	"keywright.dev/keywright/test/fakeobjects"
)

const revision = "aaaaaaaaaaaa"

type env struct {
	*fakeobjects.Fixture
	*instance.Service
	replicas []serverlease.Replica
	err      error
}

func newEnv(tb testing.TB) *env {
	tb.Helper()
	e := &env{Fixture: fakeobjects.NewFixture(tb)}
	e.Service = instance.New(instance.Config{
		Gate: e.Gate, Now: e.Time,
		Program: instance.Program{Version: "v1", Namespace: "system", Replica: "keywright-server-a"},
		Configuration: func() instance.Configuration {
			return instance.Configuration{Revision: revision, Settings: config.Runtime{
				BootstrapDigest: "hmac-sha256:p1:00ff", AllowedUsers: []string{"o'neil@example.com"},
				TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			}}
		},
		Database: func() instance.Database { return instance.Database{Product: "SQLite"} },
		Pepper:   func() string { return "p1" },
		Replicas: func(context.Context) ([]serverlease.Replica, error) { return e.replicas, e.err },
	})
	return e
}

func (e *env) by(key string) manage.Caller { return manage.Caller{Caller: e.Bearer(key)} }

func (e *env) state(tb testing.TB) *instance.State {
	tb.Helper()
	state, err := e.State(tb.Context(), e.by(fakeobjects.AliceKey))
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

func TestState_IsForAdmins(t *testing.T) {
	e := newEnv(t)
	for name, caller := range map[string]manage.Caller{
		"without a caller": {}, "anonymous": e.by("a-key-that-was-never-issued"),
		"an unproven admin": {Caller: &gate.Caller{Username: "alice", Admin: true, Credential: gate.CredentialDisplayName}},
	} {
		if _, err := e.State(t.Context(), caller); !manage.Is(err, manage.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, key := range []string{fakeobjects.AliceKey, fakeobjects.BootstrapKey} {
		if _, err := e.State(t.Context(), e.by(key)); err != nil {
			t.Error(err)
		}
	}
}

func TestState_Replicas(t *testing.T) {
	e := newEnv(t)
	soon, ago := e.Time().Add(time.Second), e.Time().Add(-time.Second)
	self := serverlease.Replica{Name: "keywright-server-a", Revision: revision, Until: soon}
	for name, c := range map[string]struct {
		others []serverlease.Replica
		inStep bool
	}{
		"one":           {nil, true},
		"two":           {[]serverlease.Replica{{Name: "b", Revision: revision, Until: soon}}, true},
		"another":       {[]serverlease.Replica{{Name: "b", Revision: "bbbbbbbbbbbb", Until: soon}}, false},
		"without one":   {[]serverlease.Replica{{Name: "b", Until: soon}}, false},
		"that is quiet": {[]serverlease.Replica{{Name: "b", Revision: revision, Until: ago}}, false},
	} {
		e.replicas = append([]serverlease.Replica{self}, c.others...)
		state := e.state(t)
		if state.InStep() != c.inStep || !state.Replicas[0].InStep || !state.Replicas[0].This {
			t.Errorf("%s: %+v", name, state.Replicas)
		}
		if len(c.others) > 0 && (state.Replicas[1].This || state.Replicas[1].InStep != c.inStep) {
			t.Errorf("%s: %+v", name, state.Replicas[1])
		}
	}
}

func TestState_WithoutTheAPIServer(t *testing.T) {
	e := newEnv(t)
	e.err = errors.New("dial tcp 10.1.2.3: refused")
	state := e.state(t)
	if state.InStep() || state.ReplicasErr == nil || strings.Contains(state.ReplicasErr.Error(), "10.1.2.3") {
		t.Errorf("%v", state.ReplicasErr)
	}
	if len(state.Settings) == 0 {
		t.Error("no settings")
	}
}

func TestState_SettingsHaveWhatChangesThem(t *testing.T) {
	state := newEnv(t).state(t)
	for _, s := range state.Settings {
		switch s.Name {
		case "ADMIN_KEY", "ADMIN_KEY_SECRET":
			if s.Line != "" || s.Patch != "" || s.Value != "" || !s.Set {
				t.Errorf("%+v", s)
			}
		case "ALLOWED_USERS":
			const patch = `kubectl patch configmap keywright-config -n system --type=merge -p ` +
				`'{"data":{"ALLOWED_USERS":"o'\''neil@example.com"}}'`
			if s.Line != "data:\n  ALLOWED_USERS: o'neil@example.com\n" || s.Patch != patch {
				t.Errorf("%q\n%q", s.Line, s.Patch)
			}
		case "TRUST_USERNAMES":
			if s.Line != "data:\n  TRUST_USERNAMES: \"false\"\n" || !s.IsDefault() {
				t.Errorf("%+v", s)
			}
		}
	}
	if shown := fmt.Sprintf("%+v", state.Settings); strings.Contains(shown, "00ff") {
		t.Error("a digest is shown")
	}
}
