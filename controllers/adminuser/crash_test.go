package adminuser_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/test/kit"
)

// newRingOf makes a keyring of peppers told apart by a letter, the first of which is the active one.
func newRingOf(letters ...string) *pepper.Keyring {
	GinkgoHelper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		name := letter
		if i == 0 {
			name = pepper.Active
		}
		entries[name] = []byte(strings.Repeat(letter, pepper.MinLength))
	}
	ring, err := pepper.Load(entries)
	Expect(err).NotTo(HaveOccurred())
	return ring
}

// editSecretLive is editSecret for a Secret that may not be in the cache.
func (b *bench) editSecretLive(ctx context.Context, name string, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret := b.secret(ctx, name)
	edit(secret)
	Expect(plane.Client.Update(ctx, secret, client.FieldOwner("a-person"))).To(Succeed())
	if _, cachedToo := secret.Labels[v1alpha1.LabelIssuedFor]; cachedToo {
		b.await(ctx, name, secret.ResourceVersion)
	}
}

// A crash after every single write: each time the object must come to one key that is in its Secret and works.
var _ = Describe("A crash", func() {
	// writes is how many writes each of these takes; the test fails when that is not so any more.
	for what, c := range map[string]struct {
		writes  int
		prepare func(context.Context, *bench)
	}{
		"of a first issue": {3, func(ctx context.Context, b *bench) {
			Expect(cached.Create(ctx, &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}})).To(Succeed())
		}},
		"of a rotation": {3, func(ctx context.Context, b *bench) {
			b.admin(ctx, "alice")
			b.edit(ctx, "alice", rotate("now"))
		}},
		"of an adoption": {4, func(ctx context.Context, b *bench) {
			b.handOver(ctx, "alice-admin-key", b.brought())
			Expect(cached.Create(ctx, &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "alice"}})).To(Succeed())
		}},
		"of a rename": {4, func(ctx context.Context, b *bench) {
			b.admin(ctx, "alice", withSecret(func(s *v1alpha1.AdminUserSecret) { s.Name = "old-door" }))
			b.edit(ctx, "alice", withSecret(func(s *v1alpha1.AdminUserSecret) { s.Name = "alice-admin-key" }))
		}},
		"of a reissue": {3, func(ctx context.Context, b *bench) {
			b.admin(ctx, "alice", reissue)
			b.deleteSecret(ctx, "alice-admin-key")
		}},
	} {
		for stop := 1; stop <= c.writes; stop++ {
			It(fmt.Sprintf("after write %d of %d %s loses no key and leaves no second one", stop, c.writes, what), func(ctx SpecContext) {
				b := newBench(ctx)
				c.prepare(ctx, b)
				before := b.currentKeys(ctx)

				b.client = kit.CrashAfter(cached, stop, new(int))
				_, err := b.reconciler().Reconcile(ctx, reconcile.Request{NamespacedName: b.name("alice")})
				Expect(err).To(MatchError(kit.ErrCrash))
				b.readableKeyWorks(ctx, before)

				b.client = cached
				b.reconcile(ctx, "alice")
				user := b.get(ctx, "alice")
				Expect(user.Status.Keys).To(HaveLen(1), "one valid key")
				Expect(b.accepted(ctx, "alice", b.plaintext(ctx, "alice-admin-key"))).To(BeTrue())
				var secrets corev1.SecretList
				Expect(plane.Client.List(ctx, &secrets, client.InNamespace(b.namespace))).To(Succeed())
				Expect(secrets.Items).To(HaveLen(1))
			})
		}
		It(fmt.Sprintf("has been tried after every write %s", what), func(ctx SpecContext) {
			b := newBench(ctx)
			c.prepare(ctx, b)
			writes := 0
			b.client = kit.CountWrites(cached, &writes)
			b.reconcile(ctx, "alice")
			Expect(writes).To(Equal(c.writes))
		})
	}
})

// currentKeys is the digests accepted before anything happens.
func (b *bench) currentKeys(ctx context.Context) []v1alpha1.KeyStatus {
	GinkgoHelper()
	return b.get(ctx, "alice").Status.Keys
}

// readableKeyWorks: whatever key can be read in the Secret at this moment is accepted, if Keywright wrote it or
// it was accepted before.
func (b *bench) readableKeyWorks(ctx context.Context, before []v1alpha1.KeyStatus) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	if err := plane.Client.Get(ctx, b.name("alice-admin-key"), secret); err != nil {
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return
	}
	plaintext := string(secret.Data["key"])
	if plaintext == b.brought() && len(before) == 0 {
		return
	}
	Expect(b.accepted(ctx, "alice", plaintext)).To(BeTrue(), "a key that can be read must work")
}
