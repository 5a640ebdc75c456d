package lifecyclesuite

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
)

// Begin is the time at which the clock of an Env starts.
var Begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// Env is a namespace of key objects, a system namespace, a clock, and an operator that can be restarted.
type Env[T keyholder.Object] struct {
	*Suite[T]
	Namespace, System string
	Clock             *clocktesting.FakePassiveClock
	Ring              *pepper.Keyring
	// Prefix starts new keys.
	Prefix string
	// Bootstrap are the digests of the bootstrap keys.
	Bootstrap []string
	Events    *kit.Events
	// Client is the operator's client.
	Client client.Client

	// seen are the plaintexts that were ever in a Secret of the namespace.
	seen map[string]bool
	// generated counts the random bytes that were read for new keys.
	generated int

	mu        sync.Mutex
	pepperErr error
}

// NewEnv creates an Env with its namespaces.
func (s *Suite[T]) NewEnv(ctx context.Context) *Env[T] {
	GinkgoHelper()
	return &Env[T]{
		Suite: s, Namespace: kit.Namespace(ctx, s.Plane, "test-"), System: kit.Namespace(ctx, s.Plane, "system-"),
		Clock: clocktesting.NewFakePassiveClock(Begin), Ring: kit.Keyring("p"), Prefix: keyformat.DefaultPrefix,
		Events: &kit.Events{}, Client: s.Cached, seen: map[string]bool{},
	}
}

// Keyring implements the issuer's source of peppers.
func (e *Env[T]) Keyring() (*pepper.Keyring, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Ring, e.pepperErr
}

// LosePepper makes Keyring fail with err, or succeed again if err is nil.
func (e *Env[T]) LosePepper(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pepperErr = err
}

// Format implements the issuer's source of the key format.
func (e *Env[T]) Format() (keyformat.Format, error) { return keyformat.Format{Prefix: e.Prefix}, nil }

// IsBootstrap implements the issuer's source of bootstrap keys.
func (e *Env[T]) IsBootstrap(digest string) bool { return slices.Contains(e.Bootstrap, digest) }

// Issuer returns a new issuer, as of an operator that has just started.
func (e *Env[T]) Issuer() *issuer.Issuer {
	return &issuer.Issuer{
		Client: e.Client, Live: e.Plane.Client, Events: e.Events, Peppers: e, Formats: e, Bootstrap: e,
		Clock: e.Clock, Random: e,
	}
}

// Read implements the issuer's source of random bytes.
func (e *Env[T]) Read(p []byte) (int, error) {
	e.generated += len(p)
	return rand.Read(p)
}

// NewReconciler returns a new controller, as of an operator that has just started.
func (e *Env[T]) NewReconciler() Reconciler { return e.Kind.Reconciler(e.Client, e.Issuer(), e.System) }

// Reconcile reconciles an object until nothing is left to do now, and returns when to do it again.
func (e *Env[T]) Reconcile(ctx context.Context, name string) time.Duration {
	GinkgoHelper()
	for range 50 {
		result, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key(name)})
		Expect(err).NotTo(HaveOccurred())
		if result.RequeueAfter == 0 || result.RequeueAfter >= time.Second {
			e.checkInvariants(ctx, name)
			return result.RequeueAfter
		}
	}
	Fail("the object never came to rest")
	return 0
}

// SetTime sets the clock to this long after Begin.
func (e *Env[T]) SetTime(since time.Duration) { e.Clock.SetTime(Begin.Add(since)) }

// At sets the clock to this long after Begin and reconciles an object.
func (e *Env[T]) At(ctx context.Context, since time.Duration, name string) T {
	GinkgoHelper()
	e.SetTime(since)
	e.Reconcile(ctx, name)
	return e.Get(ctx, name)
}

// Key returns the key of an object in the namespace.
func (e *Env[T]) Key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: e.Namespace, Name: name}
}

// Create creates an object without reconciling it.
func (e *Env[T]) Create(ctx context.Context, name string, change ...func(T)) T {
	GinkgoHelper()
	o := e.New(e.Namespace, name)
	for _, c := range change {
		c(o)
	}
	Expect(e.Cached.Create(ctx, o)).To(Succeed())
	return o
}

// Apply creates an object and reconciles it.
func (e *Env[T]) Apply(ctx context.Context, name string, change ...func(T)) T {
	GinkgoHelper()
	e.Create(ctx, name, change...)
	e.Reconcile(ctx, name)
	return e.Get(ctx, name)
}

// Get reads an object from the API server.
func (e *Env[T]) Get(ctx context.Context, name string) T {
	GinkgoHelper()
	o := e.New("", "")
	Expect(e.Plane.Client.Get(ctx, e.Key(name), o)).To(Succeed())
	return o
}

// Edit edits an object as a person does, without reconciling it.
func (e *Env[T]) Edit(ctx context.Context, name string, edits ...func(T)) {
	GinkgoHelper()
	o := e.Get(ctx, name)
	for _, edit := range edits {
		edit(o)
	}
	Expect(e.Cached.Update(ctx, o)).To(Succeed())
}

// Change edits an object as a person does and reconciles it.
func (e *Env[T]) Change(ctx context.Context, name string, edits ...func(T)) T {
	GinkgoHelper()
	e.Edit(ctx, name, edits...)
	e.Reconcile(ctx, name)
	return e.Get(ctx, name)
}

// EditStatus edits a status by hand and reconciles the object.
func (e *Env[T]) EditStatus(ctx context.Context, name string, edit func(*v1alpha1.KeyHolderStatus)) T {
	GinkgoHelper()
	o := e.Get(ctx, name)
	edit(o.HolderStatus())
	Expect(e.Cached.Status().Update(ctx, o)).To(Succeed())
	e.Reconcile(ctx, name)
	return e.Get(ctx, name)
}

// Remove deletes an object and reconciles the deletion.
func (e *Env[T]) Remove(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(e.Cached.Delete(ctx, e.Get(ctx, name))).To(Succeed())
	e.Reconcile(ctx, name)
}

// Gone reports whether an object does not exist.
func (e *Env[T]) Gone(ctx context.Context, name string) bool {
	GinkgoHelper()
	return apierrors.IsNotFound(e.Plane.Client.Get(ctx, e.Key(name), e.New("", "")))
}

// Accepted reports whether a key of the object, recorded by its digest, has not ended.
func (e *Env[T]) Accepted(ctx context.Context, name, plaintext string) bool {
	GinkgoHelper()
	for _, k := range e.Get(ctx, name).HolderStatus().Keys {
		if k.Digest == e.Ring.Digest(plaintext).String() {
			return k.ExpiresAt == nil || e.Clock.Now().Before(k.ExpiresAt.Time)
		}
	}
	return false
}

// Recorded returns an entry of status.keys as the API, or a person, writes one.
func (e *Env[T]) Recorded(plaintext string) v1alpha1.KeyStatus {
	digest := e.Ring.Digest(plaintext)
	return v1alpha1.KeyStatus{
		ID: digest.KeyID(), Digest: digest.String(), State: v1alpha1.KeyCurrent, IssuedAt: metav1.NewTime(Begin),
	}
}

// Condition returns <status>/<reason> of a condition, or "".
func Condition(o keyholder.Object, kind string) string {
	c := meta.FindStatusCondition(o.HolderStatus().Conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + "/" + c.Reason
}

// Message returns the message of a condition.
func Message(o keyholder.Object, kind string) string {
	GinkgoHelper()
	c := meta.FindStatusCondition(o.HolderStatus().Conditions, kind)
	Expect(c).NotTo(BeNil(), "condition %s", kind)
	return c.Message
}

// ExpectConditions expects <status>/<reason> of Ready and of Active.
func ExpectConditions(o keyholder.Object, ready, active string) {
	GinkgoHelper()
	Expect(Condition(o, v1alpha1.ConditionReady)).To(Equal(ready), "Ready")
	Expect(Condition(o, v1alpha1.ConditionActive)).To(Equal(active), "Active")
}
