package lifecyclesuite

import (
	"errors"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

func (s *Suite[T]) editedStatus() {
	Describe("A status edited by hand", func() {
		for what, edit := range map[string]func(*v1alpha1.KeyHolderStatus){
			"without its digest":      func(s *v1alpha1.KeyHolderStatus) { s.Keys = nil },
			"wiped":                   func(s *v1alpha1.KeyHolderStatus) { *s = v1alpha1.KeyHolderStatus{} },
			"with an invalid digest":  func(s *v1alpha1.KeyHolderStatus) { s.Keys[0].Digest = "no digest" },
			"with a truncated digest": func(s *v1alpha1.KeyHolderStatus) { s.Keys[0].Digest = s.Keys[0].Digest[:60] },
		} {
			It("leads to a new key where the old one cannot be recognized: "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				e.Apply(ctx, one)
				old := e.Plaintext(ctx, e.SecretOf(one))
				o := e.EditStatus(ctx, one, edit)
				ExpectConditions(o, issued, accepted)
				fresh := e.Plaintext(ctx, e.SecretOf(one))
				Expect(fresh).NotTo(Equal(old))
				Expect(o.HolderStatus().Keys).To(HaveLen(1))
				Expect(e.Accepted(ctx, one, fresh)).To(BeTrue())
			})
		}

		It("loses what does not belong there", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			kept := e.Apply(ctx, one).HolderStatus().Keys[0]
			o := e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) {
				garbage := v1alpha1.KeyStatus{ID: "evil", Digest: "no digest", IssuedAt: metav1.NewTime(Begin)}
				eternal := e.Recorded("a-key-of-my-own-making-" + e.Namespace)
				again := kept
				again.ID = "another"
				const overlapping = v1alpha1.KeyOverlapping
				garbage.State, eternal.State, again.State = overlapping, overlapping, overlapping
				s.Keys = append(s.Keys, garbage, eternal, again)
			})
			Expect(o.HolderStatus().Keys).To(HaveExactElements(kept))
		})

		It("gets its conditions and the key id back without a new key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one, s.every("24h"))
			o := e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) {
				s.Conditions, s.ObservedGeneration, s.NextRotationAt, s.SecretName = nil, 0, nil, ""
				s.Keys[0].ID = "made-up"
			})
			Expect(o.HolderStatus()).To(Equal(before.HolderStatus()))
		})

		It("that marks the key as pending keeps the key, for the Secret holds it", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one)
			o := e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) { s.Keys[0].State = v1alpha1.KeyPending })
			ExpectConditions(o, issued, accepted)
			Expect(o.HolderStatus().Keys).To(Equal(before.HolderStatus().Keys))
		})
	})
}

func (s *Suite[T]) editedKeys() {
	Describe("A list of keys edited by hand", func() {
		It("with an overlapping key and no current one keeps it until its end and gets a new key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("1h"))
			old := e.Plaintext(ctx, e.SecretOf(one))
			e.Events.Take()
			o := e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) {
				s.Keys[0].State = v1alpha1.KeyOverlapping
				s.Keys[0].ExpiresAt = &metav1.Time{Time: Begin.Add(time.Minute)}
			})
			ExpectConditions(o, issued, accepted)
			Expect(o.HolderStatus().Keys).To(ConsistOf(
				HaveField("State", v1alpha1.KeyCurrent), HaveField("State", v1alpha1.KeyOverlapping)))
			fresh := e.Plaintext(ctx, e.SecretOf(one))
			Expect(fresh).NotTo(Equal(old))
			Expect(e.Accepted(ctx, one, old)).To(BeTrue())
			Expect(e.Events.Take()).To(ConsistOf(And(HavePrefix("Warning KeyRotated"),
				HaveSuffix("overlapping keys are accepted until their end"))))
			Expect(e.At(ctx, time.Minute, one).HolderStatus().Keys).To(HaveLen(1))
			Expect(e.Accepted(ctx, one, fresh)).To(BeTrue())
		})

		It("in another order causes no new key", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("1h"))
			before := e.Change(ctx, one, s.rotate("1"))
			fresh := e.Plaintext(ctx, e.SecretOf(one))
			o := e.EditStatus(ctx, one, func(s *v1alpha1.KeyHolderStatus) { slices.Reverse(s.Keys) })
			Expect(o.HolderStatus().Keys).To(ConsistOf(before.HolderStatus().Keys))
			ExpectConditions(o, issued, accepted)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(fresh))
			Expect(e.At(ctx, time.Hour, one).HolderStatus().Keys).To(ConsistOf(
				HaveField("ID", e.Ring.Digest(fresh).KeyID())))
		})
	})
}

func (s *Suite[T]) pepper() {
	errLost := errors.New("Secret keywright-pepper is lost")

	Describe("A pepper", func() {
		It("that is lost stops issuing until it is back", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.LosePepper(errLost)
			o := e.Apply(ctx, one)
			ExpectConditions(o, "False/PepperLost", noKey)
			Expect(Condition(o, "Stalled")).To(Equal("True/PepperLost"))
			Expect(Message(o, "Stalled")).To(Equal(errLost.Error()))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			e.LosePepper(nil)
			e.Reconcile(ctx, one)
			ExpectConditions(e.Get(ctx, one), issued, accepted)
		})

		It("that is lost prevents neither the end of a key nor a deletion", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, "ended")
			e.Apply(ctx, "deleted")
			e.Annotate(ctx, e.SecretOf("deleted"))
			e.Reconcile(ctx, "deleted")
			e.LosePepper(errLost)
			ExpectConditions(e.Change(ctx, "ended", s.End), "True/"+s.EndedReason, "False/"+s.EndedReason)
			e.NoSecret(ctx, e.SecretOf("ended"))
			e.Remove(ctx, "deleted")
			Expect(e.Gone(ctx, "deleted")).To(BeTrue())
			Expect(e.Secret(ctx, e.SecretOf("deleted")).OwnerReferences).To(BeEmpty())
		})

		It("that was replaced stalls the object until a new key is requested", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("1h"))
			before := e.Change(ctx, one, s.rotate("one in overlap")).HolderStatus().Keys[0]
			e.Ring = kit.Keyring("q")
			e.Reconcile(ctx, one)
			o := e.Get(ctx, one)
			ExpectConditions(o, "False/PepperLost", "False/PepperLost")
			Expect(Condition(o, "Stalled")).To(Equal("True/PepperLost"))
			Expect(Message(o, "Stalled")).To(Equal(
				"The key was digested with a pepper that Secret keywright-pepper no longer holds: " +
					`restore the pepper under any name but "active", or request a new key with annotation keywright.dev/rotate.`))
			Expect(o.HolderStatus().Keys).To(ContainElement(before), "it works again if the pepper comes back")

			e.SetTime(time.Minute)
			o = e.Change(ctx, one, s.rotate("give it up"))
			ExpectConditions(o, issued, accepted)
			Expect(o.HolderStatus().Keys).To(HaveLen(1), "no overlap for keys that are lost")
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})

		It("that comes back under another name brings the key back", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one)
			e.Ring = kit.Keyring("q")
			e.Reconcile(ctx, one)
			e.Ring = kit.Keyring("q", "p")
			e.Reconcile(ctx, one)
			o := e.Get(ctx, one)
			ExpectConditions(o, issued, accepted)
			Expect(o.HolderStatus().Keys).To(Equal(before.HolderStatus().Keys))
		})
	})
}

func (s *Suite[T]) idle() {
	Describe("An idle object", func() {
		for what, change := range map[string]func(T){
			"without a schedule":       func(T) {},
			"with a schedule":          s.every("10000h"),
			"that is disabled":         s.inState(v1alpha1.StateDisabled),
			"whose keys are all ended": s.End,
		} {
			It(what+" causes no write, however often it is reconciled", func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				before, secrets := e.Apply(ctx, one, change), e.Secrets(ctx)
				e.CheckIdle(ctx, one)
				Expect(e.Get(ctx, one).GetResourceVersion()).To(Equal(before.GetResourceVersion()))
				Expect(e.Secrets(ctx)).To(Equal(secrets))
			})
		}
	})
}

// CheckIdle reconciles an object at several times and expects no write.
func (e *Env[T]) CheckIdle(ctx SpecContext, name string) {
	GinkgoHelper()
	writes := 0
	e.Client = kit.CountWrites(e.Cached, &writes)
	for i := range 5 {
		e.At(ctx, time.Duration(i*1000)*time.Hour, name)
	}
	Expect(writes).To(BeZero())
}
