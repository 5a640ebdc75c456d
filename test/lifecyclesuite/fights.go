package lifecyclesuite

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// attack is what a tool does to the Secret of object one, again and again, and how messages name the tool.
type attack struct {
	happen func(context.Context)
	writer string
	// event is the type of the event of a reissue before it is noticed that there are several.
	event string
}

func (*Suite[T]) attacks(e *Env[T]) map[string]attack {
	edit := func(edit func(*corev1.Secret)) func(context.Context) {
		return func(ctx context.Context) {
			GinkgoHelper()
			e.EditSecret(ctx, e.SecretOf(one), edit)
		}
	}
	return map[string]attack{
		"writes an old key": {edit(writeKey("old-key-of-a-backup")), `Field manager "a-person"`, corev1.EventTypeWarning},
		"empties the key":   {edit(writeKey("")), `Field manager "a-person"`, corev1.EventTypeWarning},
		"removes the key": {
			edit(func(s *corev1.Secret) { delete(s.Data, v1alpha1.SecretKey) }),
			"A client that leaves no field manager", corev1.EventTypeWarning,
		},
		"deletes it": {
			func(ctx context.Context) { e.DeleteSecret(ctx, e.SecretOf(one)) },
			"A client that leaves no field manager", corev1.EventTypeNormal,
		},
	}
}

// fights plays tools that write against Keywright. Every run of an Env is that of an operator that has just started, so
// that nothing is counted in memory.
func (s *Suite[T]) fights() {
	Describe("A tool that takes the key out of the Secret again and again", func() {
		for what := range s.attacks(nil) {
			It("stalls the object, with growing pauses: "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				s.checkFight(ctx, e, s.attacks(e)[what])
			})
		}

		for what, edit := range map[string]func(*corev1.Secret){
			"a label":      func(secret *corev1.Secret) { delete(secret.Labels, v1alpha1.LabelIssuedFor) },
			"the identity": func(secret *corev1.Secret) { secret.Data[s.IdentityEntry] = []byte("User/other") },
		} {
			It("stalls the object also if the key stays: it changes "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				s.checkRepairs(ctx, e, edit)
			})
		}

		It("with ten minutes in between is answered at once", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.reissue)
			for i := range 5 {
				s.attacks(e)["writes an old key"].happen(ctx)
				ExpectConditions(e.At(ctx, time.Duration(i*10)*time.Minute, one), issued, accepted)
			}
		})

		It("is answered at once when a person requests a rotation", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.reissue)
			for range 3 {
				s.attacks(e)["writes an old key"].happen(ctx)
				e.Reconcile(ctx, one)
			}
			ExpectConditions(e.Change(ctx, one, s.rotate("now")), issued, accepted)
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})
	})
}

func (s *Suite[T]) checkFight(ctx SpecContext, e *Env[T], a attack) {
	GinkgoHelper()
	e.Apply(ctx, one, s.reissue)
	e.Events.Take()
	for range 2 {
		a.happen(ctx)
		e.Reconcile(ctx, one)
		ExpectConditions(e.Get(ctx, one), issued, accepted)
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix(a.event + " KeyRotated")))
	}
	now := time.Duration(0)
	for _, minutes := range []int{1, 2, 4, 8, 10, 10} {
		pause := time.Duration(minutes) * time.Minute
		a.happen(ctx)
		Expect(e.Reconcile(ctx, one)).To(Equal(pause))
		o := e.Get(ctx, one)
		ExpectConditions(o, "False/SecretConflict", accepted)
		Expect(Condition(o, v1alpha1.ConditionStalled)).To(Equal("True/SecretConflict"))
		Expect(Message(o, v1alpha1.ConditionStalled)).To(And(HavePrefix(a.writer), ContainSubstring(e.SecretOf(one))))
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Warning SecretConflict " + a.writer)))
		keys := o.HolderStatus().Keys

		o = e.At(ctx, now+pause-time.Second, one)
		Expect(o.HolderStatus().Keys).To(Equal(keys), "no new key during the pause")
		Expect(e.Events.Take()).To(BeEmpty())
		now += pause
		ExpectConditions(e.At(ctx, now, one), issued, accepted)
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Warning KeyRotated")))
		Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
	}
	a.happen(ctx)
	ExpectConditions(e.At(ctx, now+10*time.Minute, one), issued, accepted)
}

func (s *Suite[T]) checkRepairs(ctx SpecContext, e *Env[T], edit func(*corev1.Secret)) {
	GinkgoHelper()
	before := e.Apply(ctx, one, s.reissue)
	written := e.Secret(ctx, e.SecretOf(one))
	e.Events.Take()
	for i, pause := range []time.Duration{0, 0, time.Minute, 2 * time.Minute} {
		e.EditSecret(ctx, e.SecretOf(one), edit)
		e.Reconcile(ctx, one)
		if pause > 0 {
			o := e.Get(ctx, one)
			ExpectConditions(o, "False/SecretConflict", accepted)
			Expect(Condition(o, v1alpha1.ConditionStalled)).To(Equal("True/SecretConflict"))
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Warning SecretConflict ")), "change %d", i)
			e.Clock.SetTime(e.Clock.Now().Add(pause))
			e.Reconcile(ctx, one)
		}
		o := e.Get(ctx, one)
		ExpectConditions(o, issued, accepted)
		Expect(o.HolderStatus().Keys).To(Equal(before.HolderStatus().Keys))
		secret := e.Secret(ctx, e.SecretOf(one))
		Expect(secret.Labels).To(Equal(written.Labels))
		Expect(secret.Data).To(Equal(written.Data))
		Expect(e.Events.Take()).To(BeEmpty())
	}
}
