package fakeregistry

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
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/test/kit"
)

// Keys of AdminUsers, and the bootstrap key.
const (
	BootstrapKey = "the-bootstrap-key-of-this-place"
	AliceKey     = "correct-horse-battery-staple"
)

// AliceSession is the secret of a session that was begun with AliceKey.
const AliceSession = "the-secret-of-a-session-of-alice"

// Place has people with keys, and everything that API keys need but an API server and a database. Alice is an admin,
// bob is in a role that lets him read certificates and manage his keys, carol in one whose members may not own keys.
type Place struct {
	*Registry
	Gate     *gate.Gate
	Verifier *verify.Verifier
	Log      *kit.Log
	Trail    *Trail
	Uses     *Uses

	mu  sync.Mutex
	now time.Time
}

// NewPlace is ready, with nothing configured.
func NewPlace(tb testing.TB) *Place {
	tb.Helper()
	ring, err := pepper.Load(map[string][]byte{pepper.Active: make([]byte, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	p := &Place{Log: &kit.Log{}, Trail: &Trail{}, Uses: &Uses{}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	p.Registry = New(&verify.Index{}, ring, p.Time)
	p.Verifier = verify.NewVerifier(p.Index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, ring)
	p.Gate = gate.New(gate.Config{
		Verifier: p.Verifier, View: upToDate{}, Sessions: begun{AliceSession: ring.Digest(AliceKey)},
		Now: p.Time, Registry: prometheus.NewRegistry(), Log: p.Logger(),
	})
	p.Configure(tb, config.Runtime{})
	p.moveIn()
	return p
}

func (p *Place) moveIn() {
	bootstrap := p.Ring.Digest(BootstrapKey)
	p.Index.SetBootstrap(&bootstrap)
	p.PutAdmin("alice", AliceKey)
	p.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Spec: v1alpha1.AccessRoleSpec{
		Description: "Reads certificates.", Members: []v1alpha1.Username{"bob"},
		Permissions: []v1alpha1.Permission{
			{Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"certs.read"}, Resources: []v1alpha1.Resource{"*"}},
			{Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"apikeys.read", "apikeys.write"}, Resources: []v1alpha1.Resource{"*"}},
		},
	}})
	p.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "keyless"}, Spec: v1alpha1.AccessRoleSpec{
		Members: []v1alpha1.Username{"carol"}, APIKeys: v1alpha1.KeysDenied,
	}})
	hour := v1alpha1.Duration("1h")
	p.PutRole(&v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "short"}, Spec: v1alpha1.AccessRoleSpec{MaxTTL: &hour}})
}

// PutAdmin adds an AdminUser to what this server sees.
func (p *Place) PutAdmin(name, plaintext string) {
	p.Index.Put(verify.ID{Kind: "AdminUser", Namespace: Namespace, Name: name}, verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name, Admin: true}, Standing: verify.Accepted,
		Created: p.Time().AddDate(-1, 0, 0), UID: "uid-of-" + name, OwnsUsername: true, HoldsKeys: true,
		Keys: []verify.Key{{Digest: p.Ring.Digest(plaintext), IssuedAt: p.Time()}},
	})
}

// PutKey adds an APIKey that a manifest made, and whose key is plaintext.
func (p *Place) PutKey(name string, subject v1alpha1.Subject, plaintext string, change func(*v1alpha1.APIKey)) *v1alpha1.APIKey {
	digest := p.Ring.Digest(plaintext)
	k := &v1alpha1.APIKey{Spec: v1alpha1.APIKeySpec{Subject: subject, Delivery: v1alpha1.DeliverySecret}}
	k.Namespace, k.Name, k.UID = "team", name, types.UID("uid-of-"+name)
	k.CreationTimestamp = metav1.NewTime(p.Time().AddDate(0, 0, -1))
	k.Status.Keys = []v1alpha1.KeyStatus{{
		ID: digest.KeyID(), Prefix: plaintext[:4], Digest: digest.String(), IssuedAt: k.CreationTimestamp,
	}}
	if change != nil {
		change(k)
	}
	p.Put(k)
	return k
}

// Configure puts a configuration in force.
func (p *Place) Configure(tb testing.TB, runtime config.Runtime) {
	tb.Helper()
	rules, err := gate.NewRules(runtime)
	if err != nil {
		tb.Fatal(err)
	}
	p.Gate.Use(rules)
}

// Time is the time there.
func (p *Place) Time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Pass lets time pass.
func (p *Place) Pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// Logger writes into Log.
func (p *Place) Logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(p.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Caller is whom a header makes known.
func (p *Place) Caller(header http.Header) *gate.Caller {
	d := p.Gate.Identify(&http.Request{Header: header})
	return &d.Caller
}

// Bearer is the caller with this key.
func (p *Place) Bearer(plaintext string) *gate.Caller {
	return p.Caller(http.Header{"X-Api-Key": {plaintext}})
}

// May says whether who presents a key may do something.
func (p *Place) May(plaintext, action, resource string) bool {
	return p.Verifier.May(p.Verifier.Verify(plaintext, p.Time()), access.Request{Action: action, Resource: resource})
}

type upToDate struct{}

func (upToDate) Ready() error       { return nil }
func (upToDate) Age() time.Duration { return 0 }

type begun map[string]pepper.Digest

func (b begun) Key(cookie string, _ time.Time) *pepper.Digest {
	if digest, is := b[cookie]; is {
		return &digest
	}
	return nil
}

// Trail keeps entries.
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

// Entries are those so far.
func (t *Trail) Entries() []audit.Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.entries)
}

// Uses knows of last uses what it is told.
type Uses struct {
	Known map[string]lastuse.Use
	Err   error
}

// LastUses are those that are known.
func (u *Uses) LastUses(context.Context, []string) (map[string]lastuse.Use, error) {
	return u.Known, u.Err
}
