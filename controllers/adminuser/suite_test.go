package adminuser_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/adminuser"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestAdminUser(t *testing.T) {
	kit.RunSpecs(t, "AdminUser controller")
}

var (
	plane *stack.ControlPlane
	// cached reads AdminUsers and Secrets' metadata as the operator does, and has seen whatever was written through it.
	cached client.WithWatch
)

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	cached = kit.CachedClient(plane, issuer.IndexSecrets, keyholder.Index, keyholder.IndexUsernames)
}, kit.StartTimeout)

// bench is one namespace, one clock and one operator that can be stopped and started anew.
type bench struct {
	namespace string
	clock     *clocktesting.FakePassiveClock
	ring      *pepper.Keyring
	pepperErr error
	// prefix begins new keys.
	prefix string
	events *kit.Events
	client client.Client
}

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func newBench(ctx context.Context) *bench {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	Expect(plane.Client.Create(ctx, namespace)).To(Succeed())
	ring, err := pepper.Load(map[string][]byte{"active": []byte(strings.Repeat("p", 32))})
	Expect(err).NotTo(HaveOccurred())
	return &bench{
		namespace: namespace.Name, clock: clocktesting.NewFakePassiveClock(begin),
		ring: ring, prefix: keyformat.DefaultPrefix, events: &kit.Events{}, client: cached,
	}
}

// Keyring makes a bench the issuer's source of peppers.
func (b *bench) Keyring() (*pepper.Keyring, error) { return b.ring, b.pepperErr }

// Format makes a bench the issuer's source of the form of keys.
func (b *bench) Format() (keyformat.Format, error) { return keyformat.Format{Prefix: b.prefix}, nil }

// reconciler is a process that has just started: it remembers nothing.
func (b *bench) reconciler() *adminuser.Reconciler {
	return &adminuser.Reconciler{Client: b.client, Issuer: &issuer.Issuer{
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

func (b *bench) name(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: b.namespace, Name: name}
}

// admin creates an AdminUser and has it reconciled.
func (b *bench) admin(ctx context.Context, name string, change ...func(*v1alpha1.AdminUser)) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}}
	for _, c := range change {
		c(user)
	}
	Expect(b.client.Create(ctx, user)).To(Succeed())
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

func (b *bench) get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(plane.Client.Get(ctx, b.name(name), user)).To(Succeed())
	return user
}

// change edits an AdminUser as a person does, and has it reconciled.
func (b *bench) change(ctx context.Context, name string, edit func(*v1alpha1.AdminUser)) *v1alpha1.AdminUser {
	GinkgoHelper()
	b.edit(ctx, name, edit)
	b.reconcile(ctx, name)
	return b.get(ctx, name)
}

func (b *bench) edit(ctx context.Context, name string, edit func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	user := b.get(ctx, name)
	edit(user)
	Expect(b.client.Update(ctx, user)).To(Succeed())
}

func (b *bench) secret(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(plane.Client.Get(ctx, b.name(name), secret)).To(Succeed())
	return secret
}

// editSecret changes a Secret as a person does. The cache follows when it will: no outcome may depend on it.
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

// accepted says whether the server would take the key: its digest is on record and has not ended.
func (b *bench) accepted(ctx context.Context, name, plaintext string) bool {
	GinkgoHelper()
	for _, k := range b.get(ctx, name).Status.Keys {
		if k.Digest == b.ring.Digest(plaintext).String() {
			return k.NotAfter == nil || b.clock.Now().Before(k.NotAfter.Time)
		}
	}
	return false
}

// plaintext is the key in a Secret.
func (b *bench) plaintext(ctx context.Context, secret string) string {
	GinkgoHelper()
	return string(b.secret(ctx, secret).Data[v1alpha1.SecretKey])
}
