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
	It("is created while no key exists", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.user(ctx, "alice")
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.secret(ctx).Data).To(HaveKeyWithValue("active", HaveLen(32)))
		Expect(e.ring().Len()).To(Equal(1))
		Expect(e.requeued()).To(ConsistOf("alice"))

		other := newEnv(ctx)
		other.reconcile(ctx)
		Expect(other.ring().ActiveID()).NotTo(Equal(e.ring().ActiveID()), "every installation has its own")
	})

	It("stays unchanged, and no object is requeued, while nothing changes", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		before, ring := e.secret(ctx), e.ring()
		e.requeued()
		e.user(ctx, "alice")
		e.reconcile(ctx)
		Expect(e.secret(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(e.ring().ActiveID()).To(Equal(ring.ActiveID()))
		Expect(e.requeued()).To(BeEmpty())
	})

	It("is the same after a restart", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		e.user(ctx, "alice", e.ring().Digest("some-key").String())
		again := envIn(e.namespace)
		again.reconcile(ctx)
		Expect(again.ring().ActiveID()).To(Equal(e.ring().ActiveID()))
		Expect(again.requeued()).To(ConsistOf("alice"), "alice may wait for it")
	})

	It("is not created again once a key is recorded", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		good, pepperID := e.secret(ctx), e.ring().ActiveID()
		user := e.user(ctx, "alice", e.ring().Digest("some-key").String())
		e.requeued()
		e.remove(ctx)

		Expect(e.reconcile(ctx)).To(Equal(30*time.Second), "the recorded keys may be deleted")
		Expect(e.keyringError()).To(MatchError(And(
			ContainSubstring("Secret keywright-pepper is lost"), ContainSubstring("restored from a backup"),
			ContainSubstring("to give up the keys"))))
		Expect(e.requeued()).To(ConsistOf("alice"))
		e.reconcile(ctx)
		Expect(e.requeued()).To(BeEmpty(), "requeued once")
		Expect(e.secrets(ctx)).To(BeEmpty())

		good.ResourceVersion = ""
		Expect(plane.Client.Create(ctx, good)).To(Succeed())
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(e.ring().ActiveID()).To(Equal(pepperID))
		Expect(e.requeued()).To(ConsistOf("alice"))

		e.remove(ctx)
		e.reconcile(ctx)
		Expect(plane.Client.Delete(ctx, user)).To(Succeed())
		Expect(e.reconcile(ctx)).To(BeZero(), "no key is recorded any more")
		Expect(e.ring().ActiveID()).NotTo(Equal(pepperID))
	})

	It("is not lost because of unreadable digests", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.user(ctx, "alice", "garbage", "hmac-sha256:0123:45", "sha256:"+strings.Repeat("0", 64))
		e.reconcile(ctx)
		Expect(e.ring().Len()).To(Equal(1))
	})

	It("is lost if one AdminUser among many records a key", func(ctx SpecContext) {
		e := newEnv(ctx)
		for _, name := range []string{"a1", "a2", "a3", "a4"} {
			e.user(ctx, name)
		}
		e.user(ctx, "z-last", digest("p"))
		e.Live = interceptor.NewClient(plane.Client, interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				return c.List(ctx, list, append(opts, client.Limit(2))...)
			},
		})
		e.reconcile(ctx)
		Expect(e.keyringError()).To(MatchError(ContainSubstring("is lost")))
	})

	It("is not lost because of keys in other namespaces", func(ctx SpecContext) {
		elsewhere, e := newEnv(ctx), newEnv(ctx)
		elsewhere.user(ctx, "alice", digest("p"))
		e.reconcile(ctx)
		Expect(e.ring().Len()).To(Equal(1))
	})

	It("that is broken stops issuing, is not changed, and is used again once it is repaired", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.reconcile(ctx)
		secret := e.secret(ctx)
		good := secret.Data["active"]
		secret.Data["active"] = []byte("too short")
		Expect(plane.Client.Update(ctx, secret)).To(Succeed())
		e.reconcile(ctx)
		Expect(e.keyringError()).To(MatchError(And(
			ContainSubstring("is broken"), ContainSubstring("until it is restored"), Not(ContainSubstring("too short")))))
		Expect(e.secret(ctx).ResourceVersion).To(Equal(secret.ResourceVersion))

		secret.Data["active"] = good
		Expect(plane.Client.Update(ctx, secret)).To(Succeed())
		e.reconcile(ctx)
		Expect(e.ring().Len()).To(Equal(1))
	})

	It("of another installation stops issuing until a person gives up the old keys", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.user(ctx, "alice", digest("p"))
		e.put(ctx, "q")
		Expect(e.reconcile(ctx)).To(Equal(30 * time.Second))
		Expect(e.keyringError()).To(MatchError(And(
			ContainSubstring("holds another pepper"), ContainSubstring("Restore the Secret"),
			ContainSubstring(`keywright.dev/accept-new-pepper: "true"`))))

		e.put(ctx, "q", v1alpha1.AnnotationAcceptNewPepper)
		Expect(e.reconcile(ctx)).To(BeZero())
		Expect(digest("q")).To(ContainSubstring(e.ring().ActiveID()))
	})

	It("stays in the keyring for old keys after another becomes active", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.put(ctx, "p")
		e.reconcile(ctx)
		old := e.ring().ActiveID()
		e.user(ctx, "alice", digest("p"))
		e.requeued()

		e.put(ctx, "qp")
		e.reconcile(ctx)
		Expect(e.ring().ActiveID()).NotTo(Equal(old))
		Expect(e.ring().Has(old)).To(BeTrue())
		Expect(e.requeued()).To(ConsistOf("alice"))
	})

	It("is created once by two replicas at the same time", func(ctx SpecContext) {
		one := newEnv(ctx)
		two := envIn(one.namespace)
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
		for _, e := range []*env{one, two} {
			go func() {
				_, err := e.Reconcile(ctx, reconcile.Request{})
				failures <- err
			}()
		}
		Expect([]error{<-failures, <-failures}).To(ConsistOf(BeNil(), MatchError(ContainSubstring("already exists"))))

		one.reconcile(ctx)
		two.reconcile(ctx)
		Expect(one.ring().ActiveID()).To(Equal(two.ring().ActiveID()))
	})
})

var _ = Describe("The keyring during an outage of the API server", func() {
	for what, away := range map[string]func(*bool) client.WithWatch{
		"the pepper": unreadable, "the recorded keys": unlisted,
	} {
		It("stays the same, and no pepper is created, without reading "+what, func(ctx SpecContext) {
			e := newEnv(ctx)
			e.reconcile(ctx)
			before := e.secret(ctx)
			down := true
			e.Live = away(&down)
			_, err := e.Reconcile(ctx, reconcile.Request{})
			Expect(err).To(MatchError(errAway))
			Expect(e.ring().Len()).To(Equal(1))
			Expect(e.secret(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		})
	}

	It("requeues objects once the API server is back", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.user(ctx, "alice")
		down := true
		e.Client = unlisted(&down)
		e.put(ctx, "p")
		_, err := e.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(errAway))
		down = false
		e.reconcile(ctx)
		Expect(e.requeued()).To(ConsistOf("alice"))
		e.reconcile(ctx)
		Expect(e.requeued()).To(BeEmpty())
	})
})

var _ = Describe("The check at startup", func() {
	It("accepts a usable pepper and a missing one", func(ctx SpecContext) {
		e := newEnv(ctx)
		Expect(peppersecret.Check(ctx, plane.Client, e.namespace)).To(Succeed())
		Expect(e.secrets(ctx)).To(BeEmpty(), "the check creates nothing")
		e.put(ctx, "p")
		Expect(peppersecret.Check(ctx, plane.Client, e.namespace)).To(Succeed())
	})

	It("fails if the pepper is broken or unreadable", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.put(ctx, "")
		Expect(peppersecret.Check(ctx, plane.Client, e.namespace)).To(MatchError(
			"Secret " + e.namespace + "/keywright-pepper is broken: it is empty: restore it from a backup"))
		down := true
		err := peppersecret.Check(ctx, unreadable(&down), e.namespace)
		Expect(err).To(MatchError(errAway))
		Expect(err).To(MatchError(HavePrefix("reading Secret " + e.namespace + "/keywright-pepper: ")))
	})
})
