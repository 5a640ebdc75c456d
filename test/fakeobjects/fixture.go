package fakeobjects

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/test/kit"
)

// The keys of a Fixture.
const (
	BootstrapKey = "the-bootstrap-key-of-this-place"
	AliceKey     = "correct-horse-battery-staple"
)

// AliceSession is the cookie of a session that was started with AliceKey.
const AliceSession = "the-secret-of-a-session-of-alice"

// Fixture has users with keys, and everything that management of API keys needs except an API server and a database.
// Alice is an admin, bob is in a role that allows reading certificates and managing his keys, and carol is in a role
// whose users may not own keys.
type Fixture struct {
	*Store
	Gate     *gate.Gate
	Verifier *verify.Verifier
	Log      *kit.Log
	Trail    *Trail
	Uses     *Uses
	// Creations are those with an idempotency key, and Made is their store.
	Creations *idempotency.Creations
	Made      *Creations

	mu  sync.Mutex
	now time.Time
}

// NewFixture returns a Fixture with an empty configuration.
func NewFixture(tb testing.TB) *Fixture {
	tb.Helper()
	f := &Fixture{
		Log: &kit.Log{}, Trail: &Trail{}, Uses: &Uses{}, Made: &Creations{},
		now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	f.Creations = &idempotency.Creations{Store: f.Made, Now: f.Time}
	f.Store = New(f.Time)
	f.Verifier = verify.NewVerifier(f.Index, f.Format, f.Ring)
	f.Gate = gate.New(gate.Config{
		Verifier: f.Verifier, View: upToDate{}, Sessions: sessions{AliceSession: f.Ring.Digest(AliceKey)},
		Now: f.Time, Registry: prometheus.NewRegistry(), Log: f.Logger(),
	})
	f.Configure(tb, config.Runtime{})
	f.populate()
	return f
}

func (f *Fixture) populate() {
	bootstrap := f.Ring.Digest(BootstrapKey)
	f.Index.SetBootstrap(&bootstrap)
	f.PutAdmin("alice", AliceKey)
	everything := []v1alpha1.Resource{"*"}
	f.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Spec: v1alpha1.AccessRoleSpec{
		Description: "Reads certificates.",
		Permissions: []v1alpha1.Permission{
			{Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"certs.read"}, Resources: everything},
			{
				Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"apikeys.read", "apikeys.write"},
				Resources: everything,
			},
		},
	}})
	f.Bind("reader", "bob", v1alpha1.KeysAllowed)
	f.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "keyless"}})
	f.Bind("keyless", "carol", v1alpha1.KeysDenied)
	hour := v1alpha1.Duration("1h")
	short := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "short"}}
	short.Spec.Limits = &v1alpha1.Limits{MaxTTL: &hour}
	f.PutRole(short)
}

// PutAdmin adds an AdminUser to the index only.
func (f *Fixture) PutAdmin(name, plaintext string) {
	f.Index.Put(verify.ID{Kind: "AdminUser", Namespace: Namespace, Name: name}, verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: verify.Accepted,
		Created: f.Time().AddDate(-1, 0, 0), UID: "uid-of-" + name, UserID: "uid-of-" + name,
		OwnsUsername: true, HoldsKeys: true,
		Keys: []verify.Key{{Digest: f.Ring.Digest(plaintext), IssuedAt: f.Time()}},
	})
}

// PutKey adds the APIKey of a manifest, with this key.
func (f *Fixture) PutKey(
	name string, subject v1alpha1.Subject, plaintext string, change func(*v1alpha1.APIKey),
) *v1alpha1.APIKey {
	digest := f.Ring.Digest(plaintext)
	k := &v1alpha1.APIKey{Spec: v1alpha1.APIKeySpec{Subject: subject, Delivery: v1alpha1.DeliverySecret}}
	k.Namespace, k.Name, k.UID = "team", name, types.UID("uid-of-"+name)
	k.CreationTimestamp = metav1.NewTime(f.Time().AddDate(0, 0, -1))
	k.Status.Keys = []v1alpha1.KeyStatus{{
		ID: digest.KeyID(), Prefix: plaintext[:4], Digest: digest.String(), State: v1alpha1.KeyCurrent,
		IssuedAt: k.CreationTimestamp,
	}}
	if change != nil {
		change(k)
	}
	f.Put(k)
	return k
}

// Configure makes the gate use a configuration.
func (f *Fixture) Configure(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	if err != nil {
		tb.Fatal(err)
	}
	f.Gate.Use(rules)
}

// Time returns the fixture's time.
func (f *Fixture) Time() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// Pass advances the time.
func (f *Fixture) Pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// Logger returns a logger that writes to Log.
func (f *Fixture) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(f.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Caller returns the caller that a header identifies.
func (f *Fixture) Caller(header http.Header) *gate.Caller {
	d := f.Gate.Identify(&http.Request{Header: header})
	return &d.Caller
}

// Bearer returns the caller with this key.
func (f *Fixture) Bearer(plaintext string) *gate.Caller {
	return f.Caller(http.Header{"X-Api-Key": {plaintext}})
}

// May reports whether a key may do something.
func (f *Fixture) May(plaintext, action, resource string) bool {
	return f.Verifier.May(f.Verifier.Verify(plaintext, f.Time()), access.Request{Action: action, Resource: resource})
}

type upToDate struct{}

func (upToDate) Ready() error       { return nil }
func (upToDate) Age() time.Duration { return 0 }

type sessions map[string]pepper.Digest

func (s sessions) Key(cookie string, _ time.Time) *pepper.Digest {
	if digest, is := s[cookie]; is {
		return &digest
	}
	return nil
}

// Trail is an audit trail in memory.
type Trail struct {
	mu      sync.Mutex
	entries []audit.Entry
}

// Record keeps an entry.
func (t *Trail) Record(_ context.Context, e audit.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, e)
}

// Entries returns the entries so far.
func (t *Trail) Entries() []audit.Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.entries)
}

// List returns the entries of a target since a time, newest first.
//
//nolint:unparam // the interface has an error
func (t *Trail) List(_ context.Context, f audit.Filter) ([]audit.Entry, error) {
	found := slices.DeleteFunc(t.Entries(), func(e audit.Entry) bool {
		return f.Target != "" && audit.Fold(e.Target) != audit.Fold(f.Target) || e.At.Before(f.Since)
	})
	slices.Reverse(found)
	return found[:min(len(found), f.Size())], nil
}

// Uses returns uses that the test sets.
type Uses struct {
	Known map[string]lastuse.Use
	// Addresses are the uses by address and day, by uid.
	Addresses map[string][]lastuse.AddressUse
	Err       error
}

// LastUses returns Known and Err.
func (u *Uses) LastUses(context.Context, []string) (map[string]lastuse.Use, error) {
	return u.Known, u.Err
}

// AddressUses returns Addresses and Err.
func (u *Uses) AddressUses(_ context.Context, uid string) ([]lastuse.AddressUse, error) {
	return u.Addresses[uid], u.Err
}
