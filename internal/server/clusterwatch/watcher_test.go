package clusterwatch

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/server/endedkeys"
	"keywright.dev/keywright/internal/server/liveconfig"
	"keywright.dev/keywright/test/kit"
)

const (
	alicesKey = "the-key-that-alice-was-given"
	bobsKey   = "the-key-that-bob-was-given"
)

// fixture is a watcher of an apiServer, and a verifier of the index that it fills.
type fixture struct {
	t        *testing.T
	api      *apiServer
	watcher  *Watcher
	index    *verify.Index
	verifier *verify.Verifier
	log      *kit.Log
}

func keyring(tb testing.TB) *pepper.Keyring {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: bytes.Repeat([]byte{'p'}, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func newFixture(t *testing.T, keyNamespaces ...string) *fixture {
	t.Helper()
	return newFixtureWith(t, func([]pepper.Digest) {}, keyNamespaces...)
}

func newFixtureWith(t *testing.T, ended func([]pepper.Digest), keyNamespaces ...string) *fixture {
	t.Helper()
	f := &fixture{t: t, api: newAPIServer(t), index: &verify.Index{}, log: &kit.Log{}}
	f.verifier = verify.NewVerifier(f.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, keyring(t))
	log := slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	targets := Targets{Index: f.index, EndedKeys: endedkeys.New(ended)}
	var err error
	if f.watcher, err = New(f.api.config(), keyholder.Scope{System: namespace, Namespaces: keyNamespaces}, targets,
		log); err != nil {
		t.Fatal(err)
	}
	return f
}

// liveConfig returns the configuration of a server without a surface.
func (f *fixture) liveConfig() *liveconfig.Config {
	return liveconfig.New(liveconfig.Targets{Index: f.index, Verifier: f.verifier, Gate: noGate{}}, time.Now)
}

type noGate struct{}

func (noGate) Use(*gate.Rules) {}

// run runs the watcher until the test ends.
func (f *fixture) run() {
	ctx, stop := context.WithCancel(f.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.watcher.Run(ctx, f.liveConfig().Apply)
	}()
	f.t.Cleanup(func() { stop(); <-ended })
}

func (f *fixture) eventually(what string, is func() bool) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-deadline:
			f.t.Fatalf("timed out waiting until %s; age %s; %s", what, f.watcher.Age(), f.log.Lines(""))
		case <-look.C:
		}
	}
}

func (f *fixture) ready() {
	f.t.Helper()
	f.eventually("it is ready", func() bool { return f.watcher.Ready() == nil })
}

func (f *fixture) verdict(presented string) verify.Reason {
	return f.verifier.Verify(presented, time.Now()).Reason
}

func (f *fixture) becomes(presented string, want verify.Reason) {
	f.t.Helper()
	f.eventually("the key is "+want.String(), func() bool { return f.verdict(presented) == want })
}

// user returns an AdminUser with one key for each plaintext.
func user(name string, plaintexts ...string) *v1alpha1.AdminUser {
	ring, err := pepper.Load(map[string][]byte{pepper.Active: bytes.Repeat([]byte{'p'}, 32)})
	if err != nil {
		panic(err)
	}
	u := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.Unix(1_800_000_000, 0),
	}}
	u.APIVersion, u.Kind = "keywright.dev/v1alpha1", "AdminUser"
	state := v1alpha1.KeyCurrent
	for _, plaintext := range plaintexts {
		d := ring.Digest(plaintext)
		u.Status.Keys = append(u.Status.Keys, v1alpha1.KeyStatus{
			ID: d.KeyID(), Digest: d.String(), State: state, IssuedAt: u.CreationTimestamp,
		})
		state = v1alpha1.KeyOverlapping
	}
	return u
}

func runtimeMap(document string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: v1alpha1.ConfigMapRuntime},
		Data:       map[string]string{config.RuntimeKey: document},
	}
}

func TestWatcher_ReadyOnceEverythingIsListed(t *testing.T) {
	for name, old := range map[string]bool{"watch that begins with a list": false, "list, then watch": true} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.api.old = old
			f.api.put(user("alice", alicesKey))
			f.api.put(user("bob", bobsKey))
			if f.watcher.Ready() == nil {
				t.Fatal("ready before the first request")
			}
			f.run()
			f.ready()
			for _, presented := range []string{alicesKey, bobsKey} {
				if got := f.verdict(presented); got != verify.Accepted {
					t.Errorf("ready, and a key is %s", got)
				}
			}
			if complaints := f.log.Lines(`"WARN"`); len(complaints) > 0 {
				t.Errorf("warnings: %s", complaints)
			}
		})
	}
}

func TestWatcher_RevocationTakesEffect(t *testing.T) {
	deleting := metav1.Unix(1_900_000_000, 0)
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		want   verify.Reason
	}{
		"disabled":                {func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled }, verify.Disabled},
		"demoted":                 {func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }, verify.Demoted},
		"being deleted":           {func(u *v1alpha1.AdminUser) { u.DeletionTimestamp = &deleting }, verify.Deleted},
		"key removed from status": {func(u *v1alpha1.AdminUser) { u.Status.Keys = nil }, verify.Unknown},
		"end of the overlap": {func(u *v1alpha1.AdminUser) {
			u.Status.Keys[0].ExpiresAt = &metav1.Time{Time: time.Unix(1, 0)}
		}, verify.Expired},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.api.put(user("alice", alicesKey))
			f.api.put(user("bob", bobsKey))
			f.run()
			f.ready()
			changed := user("alice", alicesKey)
			c.change(changed)
			f.api.put(changed)
			f.becomes(alicesKey, c.want)
			f.api.put(user("alice", alicesKey))
			f.becomes(alicesKey, verify.Accepted)
			f.api.delete(user("alice", alicesKey))
			f.becomes(alicesKey, verify.Unknown)
			if got := f.verdict(bobsKey); got != verify.Accepted {
				t.Errorf("the key of another user is %s", got)
			}
		})
	}
}

func TestWatcher_ViewStaysDuringOutage(t *testing.T) {
	f := newFixture(t)
	f.api.put(user("alice", alicesKey))
	f.api.put(user("bob", bobsKey))
	f.run()
	f.ready()
	if err := f.watcher.Failing(); err != nil {
		t.Fatalf("without an outage: %v", err)
	}

	f.api.setDown(true)
	f.eventually("every watch has failed", func() bool { return len(f.log.Lines("is unreachable")) == 5 })
	f.api.delete(user("bob", bobsKey))
	f.eventually("age grows", func() bool { return f.watcher.Age() > 500*time.Millisecond })
	err := f.watcher.Ready()
	if err != nil || f.verdict(alicesKey) != verify.Accepted || f.verdict(bobsKey) != verify.Accepted {
		t.Errorf("ready: %v, alice %s, bob %s", err, f.verdict(alicesKey), f.verdict(bobsKey))
	}

	f.api.setDown(false)
	f.becomes(bobsKey, verify.Unknown)
	f.eventually("the API server is reachable again", func() bool { return f.watcher.Failing() == nil })
	if got := f.verdict(alicesKey); got != verify.Accepted {
		t.Errorf("alice's key is %s", got)
	}
	if n := len(f.log.Lines("is unreachable")); n != 5 {
		t.Errorf("%d warnings for five watches", n)
	}
}

// Without roles a key may lack an end, without AdminUsers an owner, without bindings a user may own keys.
func TestWatcher_NotReadyBeforeAllKindsAreListed(t *testing.T) {
	f := newFixture(t, "team-a", "team-b")
	if n := len(f.watcher.watches); n != 6 {
		t.Fatalf("%d watches", n)
	}
	for i, s := range f.watcher.watches {
		err := f.watcher.Ready()
		if err == nil || !strings.Contains(err.Error(), s.resource+" have not been listed yet") {
			t.Errorf("%d of 6 listed: %v", i, err)
		}
		_ = s.Replace(nil, "1")
	}
	if err := f.watcher.Ready(); err != nil {
		t.Error(err)
	}
}

func TestWatcher_APIKeysComeFromScope(t *testing.T) {
	for name, c := range map[string]struct {
		namespaces []string
		elsewhere  verify.Reason
	}{
		"all":         {nil, verify.Accepted},
		"two of them": {[]string{"team-a", "team-b"}, verify.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, c.namespaces...)
			in := func(namespace, plaintext string) *v1alpha1.APIKey {
				k := apiKeyObject("same-name", ci, plaintext)
				k.Namespace = namespace
				return k
			}
			f.api.put(in("team-a", alicesKey))
			f.api.put(in("team-b", bobsKey))
			f.api.put(in("team-c", "the-key-of-another-team"))
			f.run()
			f.ready()
			if got := f.verdict("the-key-of-another-team"); got != c.elsewhere {
				t.Errorf("the key of another namespace is %s", got)
			}
			for _, presented := range []string{alicesKey, bobsKey} {
				if got := f.verdict(presented); got != verify.Accepted {
					t.Errorf("a key is %s", got)
				}
			}
			// Each watch continues in its own namespace.
			f.api.setDown(true)
			f.eventually("the API server is missed", func() bool { return f.watcher.Failing() != nil })
			f.api.delete(in("team-a", alicesKey))
			f.api.setDown(false)
			f.becomes(alicesKey, verify.Unknown)
			f.eventually("the API server is reachable again", func() bool { return f.watcher.Failing() == nil })
			if got := f.verdict(bobsKey); got != verify.Accepted {
				t.Errorf("the key of the other namespace is %s", got)
			}
		})
	}
}

func TestWatcher_ReadyReportsReason(t *testing.T) {
	f := newFixture(t)
	f.api.setDown(true)
	f.run()
	f.eventually("the reason is reported", func() bool {
		err := f.watcher.Ready()
		return err != nil && strings.Contains(err.Error(),
			"adminusers have not been listed yet: ") && strings.Contains(err.Error(), "EOF")
	})
	f.api.put(user("alice", alicesKey))
	f.api.setDown(false)
	f.ready()
	f.becomes(alicesKey, verify.Accepted)
}

func TestWatcher_BootstrapKeyFollowsRuntimeConfiguration(t *testing.T) {
	f := newFixture(t)
	digest := func(plaintext string) string {
		return config.Runtime{BootstrapDigest: keyring(t).Digest(plaintext).String()}.Encode()
	}
	f.api.put(runtimeMap(digest(alicesKey)))
	f.run()
	f.ready()
	v := f.verifier.Verify(alicesKey, time.Now())
	if v.Identity().Username != "admin" || !v.Identity().Admin {
		t.Fatalf("%s as %+v", v.Reason, v.Identity())
	}
	f.api.put(runtimeMap(digest(bobsKey)))
	f.becomes(bobsKey, verify.Accepted)
	for _, broken := range []string{"", "{", `{"bootstrapDigest":"` + alicesKey + `"}`, `[]`} {
		before := len(f.log.Lines("the last valid one stays"))
		f.api.put(runtimeMap(broken))
		f.eventually("the fault is logged", func() bool { return len(f.log.Lines("the last valid one stays")) == before+1 })
		if got := f.verdict(bobsKey); got != verify.Accepted {
			t.Errorf("after %q the last valid key is %s", broken, got)
		}
	}
	if leaks := f.log.Lines(alicesKey); len(leaks) > 0 {
		t.Errorf("the content of an invalid digest is logged: %s", leaks)
	}
	f.api.put(runtimeMap("{}"))
	f.becomes(bobsKey, verify.Unknown)
	f.api.put(runtimeMap(digest(bobsKey)))
	f.becomes(bobsKey, verify.Accepted)
	before := len(f.log.Lines("the last valid one stays"))
	f.api.delete(runtimeMap(""))
	f.eventually("the deletion is logged", func() bool { return len(f.log.Lines("the last valid one stays")) == before+1 })
	if got := f.verdict(bobsKey); got != verify.Accepted {
		t.Errorf("after the configuration was deleted, the last valid key is %s", got)
	}
}
