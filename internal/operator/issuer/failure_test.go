package issuer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/eventlog"
)

// alphabet is a source of random bytes that are not: every key is another, and known to nobody beforehand.
type alphabet struct{ next byte }

func (a *alphabet) Read(p []byte) (int, error) {
	for i := range p {
		a.next++
		p[i] = a.next
	}
	return len(p), nil
}

// fixed is a source of peppers that is always there.
type fixed struct{ ring *pepper.Keyring }

func (f fixed) Keyring() (*pepper.Keyring, error) { return f.ring, nil }

// prefixed is a source of the form of keys that can be changed. Empty: nothing is known yet.
type prefixed struct{ prefix string }

func (p *prefixed) Format() (keyformat.Format, error) {
	if p.prefix == "" {
		return keyformat.Format{}, ErrFormatPending
	}
	return keyformat.Format{Prefix: p.prefix}, nil
}

// bench is one AdminUser in an API server that is none: its Secret can't be written while deny is set.
type bench struct {
	*Issuer
	t      *testing.T
	api    client.Client
	clock  *clocktesting.FakePassiveClock
	events *eventlog.Log
	// deny makes the error of a write from the plaintext that was to be written. tries counts those writes.
	deny  func(plaintext string) error
	tries int
	// denied is every plaintext that was not written.
	denied []string
}

// indexes lets IndexSecrets prepare the fake API server.
type indexes struct{ *fake.ClientBuilder }

func (x indexes) IndexField(_ context.Context, o client.Object, field string, extract client.IndexerFunc) error {
	x.WithIndex(o, field, extract)
	return nil
}

func newBench(t *testing.T) *bench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	user := holderNamed("alice").Object
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(user).WithStatusSubresource(user)
	if err := errors.Join(IndexSecrets(t.Context(), indexes{builder}), keyholder.Index(t.Context(), indexes{builder})); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, clock: clocktesting.NewFakePassiveClock(noon), events: &eventlog.Log{}}
	b.api = interceptor.NewClient(builder.Build(), interceptor.Funcs{Apply: b.apply})
	b.Issuer = &Issuer{
		Client: b.api, Live: b.api, Events: b.events, Peppers: fixed{ringOf(t, "p")},
		Formats: &prefixed{keyformat.DefaultPrefix}, Clock: b.clock, Random: &alphabet{},
	}
	return b
}

func (b *bench) apply(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	b.tries++
	secret := o.(*corev1ac.SecretApplyConfiguration)
	if b.deny != nil {
		plaintext := string(secret.Data["key"])
		b.denied = append(b.denied, plaintext)
		return b.deny(plaintext)
	}
	// The fake one knows no version that no object has, and gives out no uid.
	secret.ResourceVersion = nil
	err := c.Apply(ctx, o, opts...)
	secret.WithUID("uid-2")
	return err
}

func (b *bench) user() *v1alpha1.AdminUser {
	b.t.Helper()
	user := &v1alpha1.AdminUser{}
	if err := b.api.Get(b.t.Context(), client.ObjectKey{Namespace: "ns", Name: "alice"}, user); err != nil {
		b.t.Fatal(err)
	}
	return user
}

// run is one pass over the AdminUser as it is recorded.
func (b *bench) run() (reconcile.Result, error) {
	b.t.Helper()
	h := holderNamed("alice")
	user := b.user()
	h.Object = user
	result, err := b.Run(b.t.Context(), h)
	b.checkNoPlaintext(err)
	return result, err
}

// checkNoPlaintext: no key that was to be delivered stands in the object, in an event or in the error.
func (b *bench) checkNoPlaintext(failure error) {
	b.t.Helper()
	object, err := json.Marshal(b.user())
	if err != nil {
		b.t.Fatal(err)
	}
	seen := fmt.Sprint(string(object), b.events.Peek(), failure)
	for _, plaintext := range b.denied {
		if strings.Contains(seen, plaintext) || strings.Contains(seen, base64.StdEncoding.EncodeToString([]byte(plaintext))) {
			b.t.Errorf("a key is told: %s", seen)
		}
	}
}

func (b *bench) ready() (reason, message string) {
	b.t.Helper()
	c := meta.FindStatusCondition(b.user().Status.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		b.t.Fatal("Ready says nothing")
	}
	return c.Reason, c.Message
}

var secrets = schema.GroupResource{Resource: "secrets"}

func TestAFailedWriteIsToldOnTheObjectAndTriedAgain(t *testing.T) {
	quota := func(string) error {
		return apierrors.NewForbidden(secrets, "alice-admin-key", errors.New("exceeded quota"))
	}
	for name, deny := range map[string]func(string) error{
		"that says why":                 quota,
		"that quotes the key":           func(p string) error { return fmt.Errorf("exceeded quota by %s", p) },
		"that quotes it as it was sent": func(p string) error { return fmt.Errorf("exceeded quota by %q", []byte(p)) },
		"that quotes it encoded": func(p string) error {
			return fmt.Errorf("exceeded quota by %s", base64.StdEncoding.EncodeToString([]byte(p)))
		},
		"that goes on and on": func(p string) error { return fmt.Errorf("exceeded quota%s%s", strings.Repeat("!", 50_000), p) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.deny = deny
			if _, err := b.run(); err == nil || !strings.Contains(err.Error(), "Deliver: ") {
				t.Fatalf("got %v", err)
			}
			user := b.user()
			want := workingOn("Retrying", "False/Issuing")
			if got := conditionsOf(&Holder{Object: user}); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if _, message := b.ready(); !strings.Contains(message, "Deliver: ") || !strings.Contains(message, "exceeded quota") || len(message) > 1000 {
				t.Errorf("Ready says %q", message)
			}
			if told := b.events.Take(); len(told) != 1 || !strings.HasPrefix(told[0], "Warning Retrying Deliver: ") {
				t.Errorf("told %v", told)
			}
			version := user.ResourceVersion
			b.clock.SetTime(noon.Add(time.Second))
			if _, err := b.run(); err == nil {
				t.Fatal("a second try went well")
			}
			if told := b.events.Take(); len(told) != 0 || b.user().ResourceVersion == version {
				t.Errorf("told again: %v", told)
			}
			if got := conditionsOf(&Holder{Object: b.user()}); !maps.Equal(got, want) {
				t.Errorf("after a second try: got %v, want %v", got, want)
			}

			b.deny = nil
			b.clock.SetTime(noon.Add(time.Minute))
			if _, err := b.run(); err != nil {
				t.Fatal(err)
			}
			if reason, _ := b.ready(); reason != "Issued" {
				t.Errorf("Ready says %s after the retry", reason)
			}
		})
	}
}

func TestARetryWaits(t *testing.T) {
	b := newBench(t)
	b.deny = func(string) error { return errFail }
	_, _ = b.run()
	before := b.user().ResourceVersion
	result, err := b.run()
	if err != nil || result.RequeueAfter != firstPause || b.tries != 1 || b.user().ResourceVersion != before {
		t.Fatalf("%+v, %v, %d tries: want to be left alone", result, err, b.tries)
	}
	b.clock.SetTime(noon.Add(firstPause))
	if _, err := b.run(); err == nil || b.tries != 2 {
		t.Fatalf("%v, %d tries after the pause", err, b.tries)
	}
	if err := b.RemoveOrphans(t.Context(), "AdminUser", client.ObjectKey{Namespace: "ns", Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(); err == nil || b.tries != 3 {
		t.Fatalf("%v, %d tries after the object was deleted and made anew", err, b.tries)
	}
}

func TestAConflictIsNoFailure(t *testing.T) {
	b := newBench(t)
	b.api = interceptor.NewClient(b.api.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return apierrors.NewConflict(secrets, "alice", errFail)
		},
	})
	b.Client = b.api
	for range 3 {
		if result, err := b.run(); err != nil || result.RequeueAfter != retryConflict {
			t.Fatalf("got %+v, %v", result, err)
		}
	}
	if len(b.user().Status.Conditions) != 0 {
		t.Error("something was written")
	}
}

func TestWhatCantBeReadEndsTheRunBeforeAnyWrite(t *testing.T) {
	b := newBench(t)
	b.Live = interceptor.NewClient(b.api.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errFail
		},
	})
	if _, err := b.run(); !errors.Is(err, errFail) {
		t.Fatalf("got %v", err)
	}
	if b.tries != 0 || len(b.user().Status.Keys) != 0 {
		t.Error("a key was issued without a look at what is there")
	}
	if reason, message := b.ready(); reason != "Retrying" || message != "Look: a write failed" {
		t.Errorf("Ready says %s: %q", reason, message)
	}
}

func TestWithoutAKeyringNothingIsDone(t *testing.T) {
	b := newBench(t)
	b.Peppers = pending{}
	before := b.user().ResourceVersion
	if result, err := b.run(); err != nil || result.RequeueAfter != 0 || b.user().ResourceVersion != before {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestUntilTheFormOfKeysIsKnownNothingIsDone(t *testing.T) {
	b := newBench(t)
	b.Formats = &prefixed{}
	before := b.user().ResourceVersion
	if result, err := b.run(); err != nil || result.RequeueAfter != 0 || b.user().ResourceVersion != before {
		t.Fatalf("got %+v, %v", result, err)
	}
	b.Formats = &prefixed{"kw_"}
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	if keys := b.user().Status.Keys; len(keys) != 1 || len(keys[0].Prefix) != 12 || !strings.HasPrefix(keys[0].Prefix, "kw_") {
		t.Fatalf("got %+v", keys)
	}
}

type pending struct{}

func (pending) Keyring() (*pepper.Keyring, error) { return nil, ErrPepperPending }

func TestRedact(t *testing.T) {
	const brought = `it's "my" \key\ <here>`
	for name, text := range map[string]string{
		"as it is": brought,
		"quoted":   strconv.Quote("this is " + brought),
		"encoded":  base64.StdEncoding.EncodeToString([]byte(brought)),
	} {
		r := &run{plaintext: brought}
		if got := r.redact(fmt.Errorf("before %s after", text)).Error(); strings.Contains(got, "key") ||
			!strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s: %s", name, got)
		}
	}
	wrapped := fmt.Errorf("wrapped: %w", errFail)
	if got := (&run{plaintext: brought}).redact(wrapped); !errors.Is(got, errFail) {
		t.Error("an error that holds no key came back as another")
	}
	if got := (&run{}).redact(wrapped); !errors.Is(got, errFail) {
		t.Error("an error of a run without a key came back as another")
	}
}

func TestComeBack(t *testing.T) {
	for name, c := range map[string]struct {
		plan lifecycle.Plan
		want time.Duration
	}{
		"never":                                {lifecycle.Plan{}, 0},
		"in time":                              {lifecycle.Plan{WakeAt: noon.Add(time.Hour)}, time.Hour},
		"at once, for what is due":             {lifecycle.Plan{WakeAt: noon.Add(-time.Hour)}, time.Millisecond},
		"to a Secret nobody watches":           {lifecycle.Plan{Stall: lifecycle.SecretConflict}, time.Minute},
		"to it again before a later end":       {lifecycle.Plan{Stall: lifecycle.InvalidKey, WakeAt: noon.Add(time.Hour)}, time.Minute},
		"to it again after an earlier end":     {lifecycle.Plan{Stall: lifecycle.RetiredKey, WakeAt: noon.Add(time.Second)}, time.Second},
		"not by itself where others come back": {lifecycle.Plan{Stall: lifecycle.AwaitingKey}, 0},
		"nor for a pepper":                     {lifecycle.Plan{Stall: lifecycle.ByBlock}, 0},
	} {
		if got := runOf(holderNamed("alice")).comeBack(c.plan).RequeueAfter; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
