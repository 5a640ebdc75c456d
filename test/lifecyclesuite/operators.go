package lifecyclesuite

import (
	"context"
	"fmt"
	"maps"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/test/kit"
)

// operators plays everything that takes several writes with two operators at once, such as a leader that was paused and
// its successor: the first is paused before each of its writes, while the second does all that is left to do.
func (s *Suite[T]) operators() {
	Describe("Two operators at once", func() {
		all := s.issueCrashes()
		maps.Copy(all, s.endCrashes())
		for what, c := range all {
			for paused := 1; paused <= c.writes; paused++ {
				It(fmt.Sprintf("agree on %s when one is paused before write %d of %d", what, paused, c.writes),
					func(ctx SpecContext) { s.takeOver(ctx, c, paused) })
			}
		}
		c := s.issueCrashes()["a rotation with overlap"]
		for paused := 1; paused <= c.writes; paused++ {
			for other := 1; other <= c.writes; other++ {
				It(fmt.Sprintf("agree on a rotation with overlap when both are paused before writes %d and %d", paused, other),
					func(ctx SpecContext) { s.takeTurns(ctx, c, paused, other) })
			}
		}
	})
}

// takeOver pauses one operator before a write, lets another one finish, and the first continue.
func (s *Suite[T]) takeOver(ctx SpecContext, c crash[T], paused int) {
	GinkgoHelper()
	e := s.NewEnv(ctx)
	c.prepare(ctx, e)
	before := e.Get(ctx, one)
	resume := e.pausedOperator(ctx, before, paused)
	e.Reconcile(ctx, one)
	resume()
	if !e.Gone(ctx, one) {
		e.readableKeyWorks(ctx, before)
		e.Reconcile(ctx, one)
	}
	c.outcome(ctx, e)
}

// takeTurns pauses two operators, each before a write, and lets the first that was paused continue first.
func (s *Suite[T]) takeTurns(ctx SpecContext, c crash[T], paused, other int) {
	GinkgoHelper()
	e := s.NewEnv(ctx)
	c.prepare(ctx, e)
	before := e.Get(ctx, one)
	old := e.Plaintext(ctx, e.SecretOf(one))
	first := e.pausedOperator(ctx, before, paused)
	second := e.pausedOperator(ctx, before, other)
	for _, resume := range []func(){first, second} {
		resume()
		e.readableKeyWorks(ctx, before)
		Expect(e.Accepted(ctx, one, old)).To(BeTrue(), "in its overlap")
	}
	e.Reconcile(ctx, one)
	c.outcome(ctx, e)
	Expect(e.Accepted(ctx, one, old)).To(BeTrue(), "in its overlap")
}

// pausedOperator starts one run of an operator of its own and returns when it is paused before its write with this
// number, or has ended. After every write of it the key that can be read must work. The returned function lets it
// continue, and returns when the run has ended.
func (e *Env[T]) pausedOperator(ctx context.Context, before T, number int) (resume func()) {
	GinkgoHelper()
	reached, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	pause := func(write int) error {
		if write == number {
			close(reached)
			<-goOn
		}
		return nil
	}
	shared := e.Client
	e.Client = kit.AroundWrites(e.Cached, pause, func(int) error { e.readableKeyWorks(ctx, before); return nil })
	operator := e.NewReconciler()
	e.Client = shared
	go func() {
		defer close(ended)
		defer GinkgoRecover()
		_, err := operator.Reconcile(ctx, reconcile.Request{NamespacedName: e.Key(one)})
		Expect(err).NotTo(HaveOccurred())
	}()
	select {
	case <-reached:
	case <-ended:
	}
	resume = sync.OnceFunc(func() { close(goOn); <-ended })
	DeferCleanup(resume)
	return resume
}
