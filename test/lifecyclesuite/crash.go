package lifecyclesuite

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/kit"
)

// crash is something that takes several writes, and its outcome however often the operator is killed in between.
type crash[T keyholder.Object] struct {
	// writes is the number of writes it takes.
	writes  int
	prepare func(context.Context, *Env[T])
	outcome func(context.Context, *Env[T])
}

// oneSecret expects this number of recorded keys, and one Secret whose key works.
func oneSecret[T keyholder.Object](recorded int) func(context.Context, *Env[T]) {
	return func(ctx context.Context, e *Env[T]) {
		GinkgoHelper()
		o := e.Get(ctx, one)
		Expect(o.HolderStatus().Keys).To(HaveLen(recorded))
		ExpectConditions(o, issued, accepted)
		Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		Expect(e.Secrets(ctx)).To(HaveLen(1))
	}
}

// crashes plays a crash after every single write.
func (s *Suite[T]) crashes() {
	Describe("A crash", func() {
		for what, c := range s.issueCrashes() {
			s.crash(what, c)
		}
		for what, c := range s.endCrashes() {
			s.crash(what, c)
		}
	})
}

func (s *Suite[T]) crash(what string, c crash[T]) {
	for stop := 1; stop <= c.writes; stop++ {
		name := fmt.Sprintf("after write %d of %d of %s does not change the outcome", stop, c.writes, what)
		It(name, func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			c.prepare(ctx, e)
			before := e.Get(ctx, one)

			e.crashAfter(ctx, one, stop)
			e.readableKeyWorks(ctx, before)
			e.Reconcile(ctx, one)
			c.outcome(ctx, e)
		})
	}
	It(fmt.Sprintf("is tried after every write of %s", what), func(ctx SpecContext) {
		e := s.NewEnv(ctx)
		c.prepare(ctx, e)
		writes := 0
		e.Client = kit.CountWrites(s.Cached, &writes)
		e.Reconcile(ctx, one)
		Expect(writes).To(Equal(c.writes))
		c.outcome(ctx, e)
	})
}

// crashAfter reconciles an object with an operator that is killed after this number of writes.
func (e *Env[T]) crashAfter(ctx context.Context, name string, writes int) {
	GinkgoHelper()
	e.Client = kit.CrashAfter(e.Cached, writes, new(int))
	_, err := e.NewReconciler().Reconcile(ctx, reconcile.Request{NamespacedName: e.Key(name)})
	Expect(err).To(MatchError(kit.ErrCrash))
	e.Client = e.Cached
}

func (s *Suite[T]) issueCrashes() map[string]crash[T] {
	// The number of keys after a change that uses the default overlap.
	withOverlap := 1
	if s.DefaultOverlap > 0 {
		withOverlap = 2
	}
	return map[string]crash[T]{
		"a first issue": {3, func(ctx context.Context, e *Env[T]) { e.Create(ctx, one) }, oneSecret[T](1)},
		"a rotation": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one)
			e.Edit(ctx, one, s.rotate("now"))
		}, oneSecret[T](withOverlap)},
		"a rotation with overlap": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one, s.overlapOf("1h"))
			e.Edit(ctx, one, s.rotate("now"))
		}, oneSecret[T](2)},
		"a rotation without overlap": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one, s.overlapOf("0s"))
			e.Edit(ctx, one, s.rotate("now"))
		}, oneSecret[T](1)},
		"an adoption": {4, func(ctx context.Context, e *Env[T]) {
			e.HandOver(ctx, e.SecretOf(one), e.Brought())
			e.Create(ctx, one)
		}, func(ctx context.Context, e *Env[T]) {
			oneSecret[T](1)(ctx, e)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(e.Brought()))
		}},
		"a rename": {5, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one, s.secretNamed("former"))
			e.Edit(ctx, one, s.secretNamed(e.SecretOf(one)))
		}, oneSecret[T](withOverlap)},
		"a reissue": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one, s.reissue)
			e.DeleteSecret(ctx, e.SecretOf(one))
		}, oneSecret[T](1)},
		"the return of a Secret from a backup": {2, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one)
			e.fromBackup(ctx, one, "")
			e.Events.Take()
		}, func(ctx context.Context, e *Env[T]) {
			oneSecret[T](1)(ctx, e)
			Expect(e.Events.Take()).To(BeEmpty(), "no key was issued")
		}},
	}
}

func (s *Suite[T]) endCrashes() map[string]crash[T] {
	return map[string]crash[T]{
		"an end for good": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one)
			e.Edit(ctx, one, s.End)
		}, func(ctx context.Context, e *Env[T]) {
			ExpectConditions(e.Get(ctx, one), "True/"+s.EndedReason, "False/"+s.EndedReason)
			Expect(e.Get(ctx, one).HolderStatus().Keys).To(BeEmpty())
			Expect(e.Secrets(ctx)).To(BeEmpty())
		}},
		"a first issue of a Secret that outlives the object": {4, func(ctx context.Context, e *Env[T]) {
			e.Create(ctx, one, s.orphan)
		}, func(ctx context.Context, e *Env[T]) {
			oneSecret[T](1)(ctx, e)
			Expect(e.Get(ctx, one).GetFinalizers()).To(ConsistOf(v1alpha1.FinalizerKeepSecret))
		}},
		"a deletion that leaves the Secret behind": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one, s.orphan)
			Expect(s.Cached.Delete(ctx, e.Get(ctx, one))).To(Succeed())
		}, func(ctx context.Context, e *Env[T]) {
			s.expectOrphan(ctx, e, e.Secret(ctx, e.SecretOf(one)))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).NotTo(BeEmpty())
		}},
		"a deletion that leaves a renamed Secret behind": {4, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one, s.orphan, s.secretNamed("former"))
			e.Edit(ctx, one, s.secretNamed(e.SecretOf(one)))
			// The operator is killed before it removes the former Secret.
			e.crashAfter(ctx, one, 3)
			Expect(s.Cached.Delete(ctx, e.Get(ctx, one))).To(Succeed())
		}, func(ctx context.Context, e *Env[T]) {
			s.expectOrphan(ctx, e, e.Secret(ctx, e.SecretOf(one)))
			e.NoSecret(ctx, "former")
		}},
		"a deletion that keeps the Secret": {3, func(ctx context.Context, e *Env[T]) {
			e.Apply(ctx, one)
			e.Annotate(ctx, e.SecretOf(one))
			e.Reconcile(ctx, one)
			Expect(s.Cached.Delete(ctx, e.Get(ctx, one))).To(Succeed())
		}, func(ctx context.Context, e *Env[T]) {
			Expect(e.Gone(ctx, one)).To(BeTrue())
			Expect(e.Secret(ctx, e.SecretOf(one)).OwnerReferences).To(BeEmpty())
			Expect(e.Plaintext(ctx, e.SecretOf(one))).NotTo(BeEmpty())
		}},
	}
}

// readableKeyWorks expects that the key in the Secret, if any, is accepted: Keywright wrote it, or accepted it before.
// It does not hold for an object whose keys are to end.
func (e *Env[T]) readableKeyWorks(ctx context.Context, before T) {
	GinkgoHelper()
	if e.IsEnded(before) || before.GetDeletionTimestamp() != nil {
		return
	}
	secret := &corev1.Secret{}
	if err := e.Plane.Client.Get(ctx, e.Key(e.SecretOf(one)), secret); err != nil {
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return
	}
	plaintext := string(secret.Data["key"])
	if plaintext == e.Brought() && len(before.HolderStatus().Keys) == 0 {
		return
	}
	Expect(e.Accepted(ctx, one, plaintext)).To(BeTrue(), "a key that can be read must work")
}
