package apikey_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// crash is something that takes several writes, and how it has to end.
type crash struct {
	// writes is how many it takes; the test fails when that is not so any more.
	writes  int
	prepare func(context.Context, *bench)
	// outcome is what has to be so in the end, whatever happened between.
	outcome func(context.Context, *bench)
}

// oneKey: there is one Secret, its key works, and so many keys are on record.
func oneKey(recorded int) func(context.Context, *bench) {
	return func(ctx context.Context, b *bench) {
		GinkgoHelper()
		k := b.get(ctx, "ci")
		Expect(k.Status.Keys).To(HaveLen(recorded))
		says(k, "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
		Expect(b.secrets(ctx)).To(HaveLen(1))
	}
}

func (b *bench) secrets(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(plane.Client.List(ctx, &secrets, client.InNamespace(b.namespace))).To(Succeed())
	return secrets.Items
}

var crashes = map[string]crash{
	"a first issue": {3, func(ctx context.Context, b *bench) { b.create(ctx, "ci") }, oneKey(1)},
	"a rotation": {3, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci")
		b.edit(ctx, "ci", rotate("now"))
	}, oneKey(2)},
	"a rotation without overlap": {3, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci", overlap("0s"))
		b.edit(ctx, "ci", rotate("now"))
	}, oneKey(1)},
	"an adoption": {4, func(ctx context.Context, b *bench) {
		b.handOver(ctx, "ci-api-key", b.brought())
		b.create(ctx, "ci")
	}, func(ctx context.Context, b *bench) {
		oneKey(1)(ctx, b)
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(b.brought()))
	}},
	"a rename": {4, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci", secretName("old-door"))
		b.edit(ctx, "ci", secretName("ci-api-key"))
	}, oneKey(2)},
	"a reissue": {3, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci")
		b.deleteSecret(ctx, "ci-api-key")
	}, oneKey(1)},
	"the return of a Secret from a backup": {2, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci")
		b.fromBackup(ctx, "ci", "")
		b.events.Take()
	}, func(ctx context.Context, b *bench) {
		oneKey(1)(ctx, b)
		Expect(b.events.Take()).To(BeEmpty(), "no key was issued")
	}},
	"a revocation": {3, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci")
		b.edit(ctx, "ci", revoked)
	}, func(ctx context.Context, b *bench) {
		says(b.get(ctx, "ci"), "True/Revoked", "False/Revoked")
		Expect(b.get(ctx, "ci").Status.Keys).To(BeEmpty())
		Expect(b.secrets(ctx)).To(BeEmpty())
	}},
	"a deletion with a Secret that stays": {3, func(ctx context.Context, b *bench) {
		b.key(ctx, "ci")
		b.annotate(ctx, "ci-api-key")
		b.reconcile(ctx, "ci")
		Expect(cached.Delete(ctx, b.get(ctx, "ci"))).To(Succeed())
	}, func(ctx context.Context, b *bench) {
		Expect(b.gone(ctx, "ci")).To(BeTrue())
		Expect(b.secret(ctx, "ci-api-key").OwnerReferences).To(BeEmpty())
		Expect(b.plaintext(ctx, "ci-api-key")).NotTo(BeEmpty())
	}},
}

// A crash after every single write: each time the object must come to the same end.
var _ = Describe("A crash", func() {
	for what, c := range crashes {
		for stop := 1; stop <= c.writes; stop++ {
			It(fmt.Sprintf("after write %d of %d of %s changes nothing of the outcome", stop, c.writes, what), func(ctx SpecContext) {
				b := newBench(ctx)
				c.prepare(ctx, b)
				before := b.get(ctx, "ci")

				b.client = kit.CrashAfter(cached, stop, new(int))
				_, err := b.reconciler().Reconcile(ctx, reconcile.Request{NamespacedName: b.name("ci")})
				Expect(err).To(MatchError(kit.ErrCrash))
				b.readableKeyWorks(ctx, before)

				b.client = cached
				b.reconcile(ctx, "ci")
				c.outcome(ctx, b)
			})
		}
		It(fmt.Sprintf("has been tried after every write of %s", what), func(ctx SpecContext) {
			b := newBench(ctx)
			c.prepare(ctx, b)
			writes := 0
			b.client = kit.CountWrites(cached, &writes)
			b.reconcile(ctx, "ci")
			Expect(writes).To(Equal(c.writes))
			c.outcome(ctx, b)
		})
	}
})

// readableKeyWorks: whatever key can be read in the Secret at this moment is accepted, if Keywright wrote it or it was
// accepted before, and unless no key is to be.
func (b *bench) readableKeyWorks(ctx context.Context, before *v1alpha1.APIKey) {
	GinkgoHelper()
	if before.Spec.Revoked || !before.DeletionTimestamp.IsZero() {
		return
	}
	secret := &corev1.Secret{}
	if err := plane.Client.Get(ctx, b.name("ci-api-key"), secret); err != nil {
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return
	}
	plaintext := string(secret.Data["key"])
	if plaintext == b.brought() && len(before.Status.Keys) == 0 {
		return
	}
	Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue(), "a key that can be read must work")
}
