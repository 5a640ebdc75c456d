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
	"keywright.dev/keywright/internal/operator/keysource"
	"keywright.dev/keywright/test/kit"
)

// alphabet is a deterministic source of bytes that makes every key different.
type alphabet struct{ next byte }

func (a *alphabet) Read(p []byte) (int, error) {
	for i := range p {
		a.next++
		p[i] = a.next
	}
	return len(p), nil
}

// fixed always provides the same keyring.
type fixed struct{ ring *pepper.Keyring }

func (f fixed) Keyring() (*pepper.Keyring, error) { return f.ring, nil }

// prefixed provides a key format with this prefix. Empty: the format is pending.
type prefixed struct{ prefix string }

func (p *prefixed) Format() (keyformat.Format, error) {
	if p.prefix == "" {
		return keyformat.Format{}, keysource.ErrFormatPending
	}
	return keyformat.Format{Prefix: p.prefix}, nil
}

// fixture is one AdminUser in a fake API server.
type fixture struct {
	*Issuer
	t      *testing.T
	api    client.Client
	clock  *clocktesting.FakePassiveClock
	events *kit.Events
	// deny, if set, makes every write of a Secret fail. It receives the plaintext. tries counts those writes.
	deny  func(plaintext string) error
	tries int
	// denied has every plaintext that was not written.
	denied []string
}

// indexes adds indexes to the fake API server.
type indexes struct{ *fake.ClientBuilder }

func (x indexes) IndexField(_ context.Context, o client.Object, field string, extract client.IndexerFunc) error {
	x.WithIndex(o, field, extract)
	return nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	user := targetNamed("alice").Object
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(user).WithStatusSubresource(user)
	if err := errors.Join(
		IndexSecrets(t.Context(), indexes{builder}),
		keyholder.Index(t.Context(), indexes{builder}),
	); err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, clock: clocktesting.NewFakePassiveClock(noon), events: &kit.Events{}}
	f.api = interceptor.NewClient(builder.Build(), interceptor.Funcs{Apply: f.apply})
	f.Issuer = &Issuer{
		Client: f.api, Live: f.api, Events: f.events, Peppers: fixed{ringOf(t, "p")},
		Formats: &prefixed{keyformat.DefaultPrefix}, Clock: f.clock, Random: &alphabet{},
	}
	return f
}

func (f *fixture) apply(
	ctx context.Context,
	c client.WithWatch,
	o runtime.ApplyConfiguration,
	opts ...client.ApplyOption,
) error {
	f.tries++
	secret := o.(*corev1ac.SecretApplyConfiguration)
	if f.deny != nil {
		plaintext := string(secret.Data["key"])
		f.denied = append(f.denied, plaintext)
		return f.deny(plaintext)
	}
	// The fake API server does not support absentVersion and assigns no uid.
	secret.ResourceVersion = nil
	err := c.Apply(ctx, o, opts...)
	secret.WithUID("uid-2")
	return err
}

func (f *fixture) user() *v1alpha1.AdminUser {
	f.t.Helper()
	user := &v1alpha1.AdminUser{}
	if err := f.api.Get(f.t.Context(), client.ObjectKey{Namespace: "ns", Name: "alice"}, user); err != nil {
		f.t.Fatal(err)
	}
	return user
}

// run reconciles the stored AdminUser once.
func (f *fixture) run() (reconcile.Result, error) {
	f.t.Helper()
	h := targetNamed("alice")
	user := f.user()
	h.Object = user
	result, err := f.Run(f.t.Context(), h)
	f.checkNoPlaintext(err)
	return result, err
}

// checkNoPlaintext fails the test if the object, an event or the error contains a key that was not delivered.
func (f *fixture) checkNoPlaintext(failure error) {
	f.t.Helper()
	object, err := json.Marshal(f.user())
	if err != nil {
		f.t.Fatal(err)
	}
	seen := fmt.Sprint(string(object), f.events.Peek(), failure)
	for _, plaintext := range f.denied {
		if strings.Contains(seen, plaintext) || strings.Contains(seen, base64.StdEncoding.EncodeToString([]byte(plaintext))) {
			f.t.Errorf("a key is exposed: %s", seen)
		}
	}
}

func (f *fixture) ready() (reason, message string) {
	f.t.Helper()
	c := meta.FindStatusCondition(f.user().Status.Conditions, v1alpha1.ConditionReady)
	if c == nil {
		f.t.Fatal("condition Ready is missing")
	}
	return c.Reason, c.Message
}

var secrets = schema.GroupResource{Resource: "secrets"}

func TestRun_ReportsFailedWriteAndRetries(t *testing.T) {
	quota := func(string) error {
		return apierrors.NewForbidden(secrets, "alice-admin-key", errors.New("exceeded quota"))
	}
	for name, deny := range map[string]func(string) error{
		"as a plain error":               quota,
		"quoting the key":                func(p string) error { return fmt.Errorf("exceeded quota by %s", p) },
		"quoting the key as it was sent": func(p string) error { return fmt.Errorf("exceeded quota by %q", []byte(p)) },
		"quoting the encoded key": func(p string) error {
			return fmt.Errorf("exceeded quota by %s", base64.StdEncoding.EncodeToString([]byte(p)))
		},
		"with a very long message": func(p string) error {
			return fmt.Errorf("exceeded quota%s%s", strings.Repeat("!", 50_000), p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.deny = deny
			if _, err := f.run(); err == nil || !strings.Contains(err.Error(), "Deliver: ") {
				t.Fatalf("got %v", err)
			}
			user := f.user()
			want := reconcilingFor("Retrying", "False/Issuing")
			if got := conditionsOf(&Target{Object: user}); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if _, message := f.ready(); !strings.Contains(message, "Deliver: ") ||
				!strings.Contains(message, "exceeded quota") ||
				len(message) > 1000 {
				t.Errorf("Ready has message %q", message)
			}
			if events := f.events.Take(); len(events) != 1 || !strings.HasPrefix(events[0], "Warning Retrying Deliver: ") {
				t.Errorf("events %v", events)
			}
			version := user.ResourceVersion
			f.clock.SetTime(noon.Add(time.Second))
			if _, err := f.run(); err == nil {
				t.Fatal("a retry succeeded")
			}
			if events := f.events.Take(); len(events) != 0 || f.user().ResourceVersion == version {
				t.Errorf("events of the retry: %v", events)
			}
			if got := conditionsOf(&Target{Object: f.user()}); !maps.Equal(got, want) {
				t.Errorf("after a retry: got %v, want %v", got, want)
			}

			f.deny = nil
			f.clock.SetTime(noon.Add(time.Minute))
			if _, err := f.run(); err != nil {
				t.Fatal(err)
			}
			if reason, _ := f.ready(); reason != "Issued" {
				t.Errorf("Ready has reason %s after the retry", reason)
			}
		})
	}
}

func TestRun_BacksOff(t *testing.T) {
	f := newFixture(t)
	f.deny = func(string) error { return errWrite }
	_, _ = f.run()
	before := f.user().ResourceVersion
	result, err := f.run()
	if err != nil || result.RequeueAfter != firstDelay || f.tries != 1 || f.user().ResourceVersion != before {
		t.Fatalf("%+v, %v, %d tries: want no retry yet", result, err, f.tries)
	}
	f.clock.SetTime(noon.Add(firstDelay))
	if _, err := f.run(); err == nil || f.tries != 2 {
		t.Fatalf("%v, %d tries after the delay", err, f.tries)
	}
	if err := f.RemoveOrphans(t.Context(), "AdminUser", client.ObjectKey{Namespace: "ns", Name: "alice"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.run(); err == nil || f.tries != 3 {
		t.Fatalf("%v, %d tries after the object was deleted and created again", err, f.tries)
	}
}

func TestRun_ConflictIsNotAFailure(t *testing.T) {
	f := newFixture(t)
	f.api = interceptor.NewClient(f.api.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(
			context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption,
		) error {
			return apierrors.NewConflict(secrets, "alice", errWrite)
		},
	})
	f.Client = f.api
	for range 3 {
		if result, err := f.run(); err != nil || result.RequeueAfter != retryConflict {
			t.Fatalf("got %+v, %v", result, err)
		}
	}
	if len(f.user().Status.Conditions) != 0 {
		t.Error("something was written")
	}
}

func TestRun_FailedReadPreventsEveryWrite(t *testing.T) {
	f := newFixture(t)
	f.Live = interceptor.NewClient(f.api.(client.WithWatch), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errWrite
		},
	})
	if _, err := f.run(); !errors.Is(err, errWrite) {
		t.Fatalf("got %v", err)
	}
	if f.tries != 0 || len(f.user().Status.Keys) != 0 {
		t.Error("a key was issued without reading the Secret")
	}
	if reason, message := f.ready(); reason != "Retrying" || message != "Look: a write failed" {
		t.Errorf("Ready is %s: %q", reason, message)
	}
}

func TestRun_WaitsForPepper(t *testing.T) {
	f := newFixture(t)
	f.Peppers = pending{}
	before := f.user().ResourceVersion
	if result, err := f.run(); err != nil || result.RequeueAfter != 0 || f.user().ResourceVersion != before {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestRun_WaitsForKeyFormat(t *testing.T) {
	f := newFixture(t)
	f.Formats = &prefixed{}
	before := f.user().ResourceVersion
	if result, err := f.run(); err != nil || result.RequeueAfter != 0 || f.user().ResourceVersion != before {
		t.Fatalf("got %+v, %v", result, err)
	}
	f.Formats = &prefixed{"kw_"}
	if _, err := f.run(); err != nil {
		t.Fatal(err)
	}
	if keys := f.user().Status.Keys; len(keys) != 1 || len(keys[0].Prefix) != 12 ||
		!strings.HasPrefix(keys[0].Prefix, "kw_") {
		t.Fatalf("got %+v", keys)
	}
}

type pending struct{}

func (pending) Keyring() (*pepper.Keyring, error) { return nil, keysource.ErrPepperPending }

func TestRedact(t *testing.T) {
	const brought = `it's "my" \key\ <here>`
	for name, text := range map[string]string{
		"unchanged": brought,
		"quoted":    strconv.Quote("this is " + brought),
		"encoded":   base64.StdEncoding.EncodeToString([]byte(brought)),
	} {
		r := &run{plaintext: brought}
		got := r.redact(fmt.Errorf("before %s after", text)).Error()
		rest := strings.Replace(got, keyformat.Redacted, "", 1)
		if rest == got || strings.Contains(rest, "key") ||
			!strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("%s: %s", name, got)
		}
	}
	wrapped := fmt.Errorf("wrapped: %w", errWrite)
	if got := (&run{plaintext: brought}).redact(wrapped); !errors.Is(got, errWrite) {
		t.Error("an error without the key was replaced")
	}
	if got := (&run{}).redact(wrapped); !errors.Is(got, errWrite) {
		t.Error("the error of a run without a key was replaced")
	}
}

// A stall that ends without an event says when it is looked at again, and no other does.
func TestStallFinding_NamesTheInterval(t *testing.T) {
	r := runOf(targetNamed("alice"))
	r.target.Blocked = &Finding{v1alpha1.ReasonPepperLost, "The pepper is lost."}
	for cause := lifecycle.ByBlock; cause <= lifecycle.AwaitingKey; cause++ {
		wait := r.resultOf(lifecycle.Plan{Step: lifecycle.Stall, Stall: cause}).RequeueAfter
		message := stallFinding(r, cause).Message
		if says := strings.HasSuffix(message, "Keywright checks it again every minute."); says != (wait == time.Minute) {
			t.Errorf("after %s: %s", wait, message)
		}
	}
}

func TestResultOf(t *testing.T) {
	for name, c := range map[string]struct {
		plan lifecycle.Plan
		want time.Duration
	}{
		"never":                                {lifecycle.Plan{}, 0},
		"at WakeAt":                            {lifecycle.Plan{WakeAt: noon.Add(time.Hour)}, time.Hour},
		"at once if WakeAt has passed":         {lifecycle.Plan{WakeAt: noon.Add(-time.Hour)}, time.Millisecond},
		"polling a Secret that is not watched": {lifecycle.Plan{Stall: lifecycle.SecretConflict}, time.Minute},
		"polling before a later WakeAt": {
			lifecycle.Plan{Stall: lifecycle.InvalidKey, WakeAt: noon.Add(time.Hour)}, time.Minute,
		},
		"after an earlier WakeAt": {
			lifecycle.Plan{Stall: lifecycle.RetiredKey, WakeAt: noon.Add(time.Second)}, time.Second,
		},
		"not while waiting for the API": {lifecycle.Plan{Stall: lifecycle.AwaitingKey}, 0},
		"not while blocked":             {lifecycle.Plan{Stall: lifecycle.ByBlock}, 0},
	} {
		if got := runOf(targetNamed("alice")).resultOf(c.plan).RequeueAfter; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
