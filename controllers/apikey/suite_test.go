package apikey_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/apikey"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestAPIKey(t *testing.T) {
	kit.RunSpecs(t, "APIKey controller")
}

var (
	plane *stack.ControlPlane
	// cached reads as the operator does, and has seen whatever was written through it.
	cached client.WithWatch
)

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	cached = kit.CachedClient(plane, issuer.IndexSecrets, keyholder.Index, keyholder.IndexUsernames, apikey.Index)
}, kit.StartTimeout)

// bench is one namespace of keys, one of Keywright's own, one clock, and one operator that can be stopped and started
// anew.
type bench struct {
	namespace, system string
	clock             *clocktesting.FakePassiveClock
	ring              *pepper.Keyring
	events            *kit.Events
	client            client.Client
	// seen are all plaintexts that were ever found in a Secret of the namespace.
	seen map[string]bool

	mu        sync.Mutex
	pepperErr error
}

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func newBench(ctx context.Context) *bench {
	GinkgoHelper()
	b := &bench{
		clock: clocktesting.NewFakePassiveClock(begin), ring: newRingOf("p"), events: &kit.Events{},
		client: cached, seen: map[string]bool{},
	}
	b.namespace, b.system = newNamespace(ctx, "test-"), newNamespace(ctx, "system-")
	return b
}

func newNamespace(ctx context.Context, prefix string) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
	Expect(plane.Client.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// Keyring makes a bench the issuer's source of peppers.
func (b *bench) Keyring() (*pepper.Keyring, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ring, b.pepperErr
}

// losePepper has the pepper lost for this reason. Nil: it is back.
func (b *bench) losePepper(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pepperErr = why
}

// Format makes a bench the issuer's source of the form of keys.
func (*bench) Format() (keyformat.Format, error) {
	return keyformat.Format{Prefix: keyformat.DefaultPrefix}, nil
}

// reconciler is a process that has just started: it remembers nothing.
func (b *bench) reconciler() *apikey.Reconciler {
	return &apikey.Reconciler{Client: b.client, System: b.system, Issuer: &issuer.Issuer{
		Client: b.client, Live: plane.Client, Events: b.events, Peppers: b,
		Formats: b, Clock: b.clock, Random: rand.Reader,
	}}
}

// reconcile runs until there is nothing to do at once, and returns when to come back.
func (b *bench) reconcile(ctx context.Context, name string) time.Duration {
	GinkgoHelper()
	for range 50 {
		result, err := b.reconciler().Reconcile(ctx, reconcile.Request{NamespacedName: b.name(name)})
		Expect(err).NotTo(HaveOccurred())
		if result.RequeueAfter == 0 || result.RequeueAfter >= time.Second {
			b.checkInvariants(ctx, name)
			return result.RequeueAfter
		}
	}
	Fail("the object never came to rest")
	return 0
}

// at sets the clock to so long after the beginning, and has the key reconciled.
func (b *bench) at(ctx context.Context, since time.Duration, name string) *v1alpha1.APIKey {
	GinkgoHelper()
	b.clock.SetTime(begin.Add(since))
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

func (b *bench) name(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: b.namespace, Name: name}
}

// create makes an APIKey of Account ci, unless it is changed, and does not have it reconciled.
func (b *bench) create(ctx context.Context, name string, change ...func(*v1alpha1.APIKey)) *v1alpha1.APIKey {
	GinkgoHelper()
	k := &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}}
	k.Spec.Subject = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	for _, c := range change {
		c(k)
	}
	Expect(cached.Create(ctx, k)).To(Succeed())
	return k
}

// key creates an APIKey and has it reconciled.
func (b *bench) key(ctx context.Context, name string, change ...func(*v1alpha1.APIKey)) *v1alpha1.APIKey {
	GinkgoHelper()
	b.create(ctx, name, change...)
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

func (b *bench) get(ctx context.Context, name string) *v1alpha1.APIKey {
	GinkgoHelper()
	k := &v1alpha1.APIKey{}
	Expect(plane.Client.Get(ctx, b.name(name), k)).To(Succeed())
	return k
}

// change edits an APIKey as a person does, and has it reconciled.
func (b *bench) change(ctx context.Context, name string, edits ...func(*v1alpha1.APIKey)) *v1alpha1.APIKey {
	GinkgoHelper()
	b.edit(ctx, name, edits...)
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

func (b *bench) edit(ctx context.Context, name string, edits ...func(*v1alpha1.APIKey)) {
	GinkgoHelper()
	k := b.get(ctx, name)
	for _, edit := range edits {
		edit(k)
	}
	Expect(cached.Update(ctx, k)).To(Succeed())
}

// editStatus writes a status by hand, and has the key reconciled.
func (b *bench) editStatus(ctx context.Context, name string, edit func(*v1alpha1.APIKeyStatus)) *v1alpha1.APIKey {
	GinkgoHelper()
	k := b.get(ctx, name)
	edit(&k.Status)
	Expect(cached.Status().Update(ctx, k)).To(Succeed())
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

// remove deletes an APIKey and has that reconciled.
func (b *bench) remove(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(cached.Delete(ctx, b.get(ctx, name))).To(Succeed())
	b.reconcile(ctx, name)
}

func (b *bench) gone(ctx context.Context, name string) bool {
	GinkgoHelper()
	return apierrors.IsNotFound(plane.Client.Get(ctx, b.name(name), &v1alpha1.APIKey{}))
}

func (b *bench) secret(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(plane.Client.Get(ctx, b.name(name), secret)).To(Succeed())
	return secret
}

func (b *bench) noSecret(ctx context.Context, name string) {
	GinkgoHelper()
	err := plane.Client.Get(ctx, b.name(name), &corev1.Secret{})
	Expect(apierrors.IsNotFound(err)).To(BeTrue(), "Secret %s is there", name)
}

// plaintext is the key in a Secret.
func (b *bench) plaintext(ctx context.Context, secret string) string {
	GinkgoHelper()
	return string(b.secret(ctx, secret).Data[v1alpha1.SecretKey])
}

// editSecret changes a Secret as a person does, and returns when the cache has followed.
func (b *bench) editSecret(ctx context.Context, name string, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret := b.secret(ctx, name)
	edit(secret)
	Expect(plane.Client.Update(ctx, secret, client.FieldOwner("a-person"))).To(Succeed())
	b.await(ctx, name, secret.ResourceVersion)
}

func (b *bench) deleteSecret(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(plane.Client.Delete(ctx, b.secret(ctx, name))).To(Succeed())
	b.await(ctx, name, "")
}

// await returns when the cache has this version of a Secret's metadata, "" standing for none.
func (b *bench) await(ctx context.Context, name, version string) {
	GinkgoHelper()
	Eventually(ctx, func() string {
		secret := issuer.SecretMetadata()
		if err := cached.Get(ctx, b.name(name), secret); err != nil {
			return ""
		}
		return secret.ResourceVersion
	}).Should(Equal(version))
}

// accepted says whether the server would take the key as far as its digest goes: that is on record and has not ended.
func (b *bench) accepted(ctx context.Context, name, plaintext string) bool {
	GinkgoHelper()
	for _, k := range b.get(ctx, name).Status.Keys {
		if k.Digest == b.ring.Digest(plaintext).String() {
			return k.NotAfter == nil || b.clock.Now().Before(k.NotAfter.Time)
		}
	}
	return false
}
