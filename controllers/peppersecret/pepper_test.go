package peppersecret_test

import (
	"context"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/peppersecret"
)

var _ = Describe("The pepper", func() {
	It("is made when there is none and no key exists", func(ctx SpecContext) {
		b := newBench(ctx)
		b.user(ctx, "alice")
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.secret(ctx).Data).To(HaveKeyWithValue("active", HaveLen(32)))
		Expect(b.ring().Len()).To(Equal(1))
		Expect(b.told()).To(ConsistOf("alice"))

		other := newBench(ctx)
		other.look(ctx)
		Expect(other.ring().ActiveID()).NotTo(Equal(b.ring().ActiveID()), "no two instances have the same")
	})

	It("stays as it is, and nobody is asked, when nothing changes", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		before, ring := b.secret(ctx), b.ring()
		b.told()
		b.user(ctx, "alice")
		b.look(ctx)
		Expect(b.secret(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(b.ring().ActiveID()).To(Equal(ring.ActiveID()))
		Expect(b.told()).To(BeEmpty())
	})

	It("is the same after a restart", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		b.user(ctx, "alice", b.ring().Digest("some-key").String())
		again := benchIn(b.namespace)
		again.look(ctx)
		Expect(again.ring().ActiveID()).To(Equal(b.ring().ActiveID()))
		Expect(again.told()).To(ConsistOf("alice"), "whoever waited for it")
	})

	It("is never made a second time once a key is recorded", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		good, pepperID := b.secret(ctx), b.ring().ActiveID()
		user := b.user(ctx, "alice", b.ring().Digest("some-key").String())
		b.told()
		b.remove(ctx)

		Expect(b.look(ctx)).To(Equal(30*time.Second), "the keys it is missed for may go")
		Expect(b.problem()).To(MatchError(And(
			ContainSubstring("Secret keywright-pepper is lost"), ContainSubstring("restored from a backup"), ContainSubstring("to give up the keys"))))
		Expect(b.told()).To(ConsistOf("alice"))
		b.look(ctx)
		Expect(b.told()).To(BeEmpty(), "told once")
		Expect(b.secrets(ctx)).To(BeEmpty())

		good.ResourceVersion = ""
		Expect(plane.Client.Create(ctx, good)).To(Succeed())
		Expect(b.look(ctx)).To(BeZero())
		Expect(b.ring().ActiveID()).To(Equal(pepperID))
		Expect(b.told()).To(ConsistOf("alice"))

		b.remove(ctx)
		b.look(ctx)
		Expect(plane.Client.Delete(ctx, user)).To(Succeed())
		Expect(b.look(ctx)).To(BeZero(), "with the last key that it was missed for, the way is free")
		Expect(b.ring().ActiveID()).NotTo(Equal(pepperID))
	})

	It("is not taken for lost because of what is no digest", func(ctx SpecContext) {
		b := newBench(ctx)
		b.user(ctx, "alice", "garbage", "hmac-sha256:0123:45", "sha256:"+strings.Repeat("0", 64))
		b.look(ctx)
		Expect(b.ring().Len()).To(Equal(1))
	})

	It("is missed by the key of one AdminUser among many", func(ctx SpecContext) {
		b := newBench(ctx)
		for _, name := range []string{"a1", "a2", "a3", "a4"} {
			b.user(ctx, name)
		}
		b.user(ctx, "z-last", digest("p"))
		b.Live = interceptor.NewClient(plane.Client, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				return c.List(ctx, list, append(opts, client.Limit(2))...)
			},
		})
		b.look(ctx)
		Expect(b.problem()).To(MatchError(ContainSubstring("is lost")))
	})

	It("is missed by keys of its own namespace only", func(ctx SpecContext) {
		elsewhere, b := newBench(ctx), newBench(ctx)
		elsewhere.user(ctx, "alice", digest("p"))
		b.look(ctx)
		Expect(b.ring().Len()).To(Equal(1))
	})

	It("that is broken stops everything, is left alone, and is used once it is repaired", func(ctx SpecContext) {
		b := newBench(ctx)
		b.look(ctx)
		secret := b.secret(ctx)
		good := secret.Data["active"]
		secret.Data["active"] = []byte("too short")
		Expect(plane.Client.Update(ctx, secret)).To(Succeed())
		b.look(ctx)
		Expect(b.problem()).To(MatchError(And(ContainSubstring("is broken"), ContainSubstring("until it is restored"), Not(ContainSubstring("too short")))))
		Expect(b.secret(ctx).ResourceVersion).To(Equal(secret.ResourceVersion))

		secret.Data["active"] = good
		Expect(plane.Client.Update(ctx, secret)).To(Succeed())
		b.look(ctx)
		Expect(b.ring().Len()).To(Equal(1))
	})

	It("of somebody else stops everything until a person gives the old keys up", func(ctx SpecContext) {
		b := newBench(ctx)
		b.user(ctx, "alice", digest("p"))
		b.put(ctx, "q")
		Expect(b.look(ctx)).To(Equal(30 * time.Second))
		Expect(b.problem()).To(MatchError(And(
			ContainSubstring("holds another pepper"), ContainSubstring("Restore the Secret"), ContainSubstring(`keywright.dev/accept-new-pepper: "true"`))))

		b.put(ctx, "q", v1alpha1.AnnotationAcceptNewPepper)
		Expect(b.look(ctx)).To(BeZero())
		Expect(digest("q")).To(ContainSubstring(b.ring().ActiveID()))
	})

	It("goes on being held for old keys after another became active", func(ctx SpecContext) {
		b := newBench(ctx)
		b.put(ctx, "p")
		b.look(ctx)
		old := b.ring().ActiveID()
		b.user(ctx, "alice", digest("p"))
		b.told()

		b.put(ctx, "qp")
		b.look(ctx)
		Expect(b.ring().ActiveID()).NotTo(Equal(old))
		Expect(b.ring().Has(old)).To(BeTrue())
		Expect(b.told()).To(ConsistOf("alice"))
	})

	It("is one where two make it at the same moment", func(ctx SpecContext) {
		one := newBench(ctx)
		two := benchIn(one.namespace)
		var both sync.WaitGroup
		both.Add(2)
		meet := interceptor.NewClient(plane.Client, interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				both.Done()
				both.Wait()
				return c.Create(ctx, o, opts...)
			},
		})
		one.Client, two.Client = meet, meet
		failures := make(chan error, 2)
		for _, b := range []*bench{one, two} {
			go func() {
				_, err := b.Reconcile(ctx, reconcile.Request{})
				failures <- err
			}()
		}
		Expect([]error{<-failures, <-failures}).To(ConsistOf(BeNil(), MatchError(ContainSubstring("already exists"))))

		one.look(ctx)
		two.look(ctx)
		Expect(one.ring().ActiveID()).To(Equal(two.ring().ActiveID()))
	})
})

var _ = Describe("While the API server is away", func() {
	for what, away := range map[string]func(*bool) client.WithWatch{"the pepper": unreadable, "the recorded keys": unlisted} {
		It("the keyring stays, and no pepper is made: without a sight of "+what, func(ctx SpecContext) {
			b := newBench(ctx)
			b.look(ctx)
			before := b.secret(ctx)
			down := true
			b.Live = away(&down)
			_, err := b.Reconcile(ctx, reconcile.Request{})
			Expect(err).To(MatchError(errAway))
			Expect(b.ring().Len()).To(Equal(1))
			Expect(b.secret(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		})
	}

	It("nobody is forgotten who has yet to be told of a change", func(ctx SpecContext) {
		b := newBench(ctx)
		b.user(ctx, "alice")
		down := true
		b.Client = unlisted(&down)
		b.put(ctx, "p")
		_, err := b.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(errAway))
		down = false
		b.look(ctx)
		Expect(b.told()).To(ConsistOf("alice"))
		b.look(ctx)
		Expect(b.told()).To(BeEmpty())
	})
})

var _ = Describe("The check at start-up", func() {
	It("lets a start go on with a good pepper or none", func(ctx SpecContext) {
		b := newBench(ctx)
		Expect(peppersecret.Check(ctx, plane.Client, b.namespace)).To(Succeed())
		Expect(b.secrets(ctx)).To(BeEmpty(), "it makes none itself")
		b.put(ctx, "p")
		Expect(peppersecret.Check(ctx, plane.Client, b.namespace)).To(Succeed())
	})

	It("ends one with a broken pepper, and one that can't read it", func(ctx SpecContext) {
		b := newBench(ctx)
		b.put(ctx, "")
		Expect(peppersecret.Check(ctx, plane.Client, b.namespace)).To(MatchError("Secret " + b.namespace + "/keywright-pepper is broken: it is empty: restore it from a backup"))
		down := true
		err := peppersecret.Check(ctx, unreadable(&down), b.namespace)
		Expect(err).To(MatchError(errAway))
		Expect(err).To(MatchError(HavePrefix("reading Secret " + b.namespace + "/keywright-pepper: ")))
	})
})
