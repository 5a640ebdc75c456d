package lifecyclesuite

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// loss is a way in which a Secret loses its key.
type loss struct {
	happen func(context.Context)
	cause  string
	// event is the type of the event of a reissue.
	event string
}

func (*Suite[T]) losses(e *Env[T]) map[string]loss {
	const deleted, changed, warning = "its Secret was deleted", "its Secret was changed", corev1.EventTypeWarning
	edit := func(edit func(*corev1.Secret)) func(context.Context) {
		return func(ctx context.Context) {
			GinkgoHelper()
			e.EditSecret(ctx, e.SecretOf(one), edit)
		}
	}
	return map[string]loss{
		"deleted": {
			func(ctx context.Context) { e.DeleteSecret(ctx, e.SecretOf(one)) }, deleted, corev1.EventTypeNormal,
		},
		"edited":          {edit(func(s *corev1.Secret) { s.Data["key"] = []byte(e.Brought()) }), changed, warning},
		"emptied":         {edit(func(s *corev1.Secret) { s.Data = nil }), changed, warning},
		"without its key": {edit(func(s *corev1.Secret) { delete(s.Data, "key") }), changed, warning},
	}
}

func (s *Suite[T]) lostSecret() {
	Describe("A Secret that was deleted or changed", func() {
		for _, what := range []string{"deleted", "edited", "emptied", "without its key"} {
			It("is written again with a new key under IfLost, and the old key is refused: "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				lost := s.losses(e)[what]
				e.Apply(ctx, one, s.reissue, s.overlapOf("1h"))
				e.Change(ctx, one, s.rotate("1"))
				old := e.Plaintext(ctx, e.SecretOf(one))
				e.Events.Take()
				lost.happen(ctx)
				e.Reconcile(ctx, one)
				fresh := e.Plaintext(ctx, e.SecretOf(one))
				Expect(fresh).NotTo(Or(Equal(old), Equal(e.Brought())))
				Expect(e.Accepted(ctx, one, fresh)).To(BeTrue())
				Expect(e.Accepted(ctx, one, old)).To(BeFalse(), "no overlap for a key whose Secret was lost")
				o := e.Get(ctx, one)
				Expect(o.HolderStatus().Keys).To(HaveLen(1), "no overlap for a key whose Secret was lost")
				ExpectConditions(o, issued, accepted)
				Expect(e.Events.Take()).To(ConsistOf(And(HavePrefix(lost.event+" KeyRotated"),
					ContainSubstring("("+lost.cause), HaveSuffix("); every earlier key is refused"))))
			})

			It("is left alone under Never, and its key still works: "+what, func(ctx SpecContext) {
				e := s.NewEnv(ctx)
				lost := s.losses(e)[what]
				e.Apply(ctx, one, s.keep)
				old := e.Plaintext(ctx, e.SecretOf(one))
				e.Events.Take()
				lost.happen(ctx)
				e.Reconcile(ctx, one)
				o := e.Get(ctx, one)
				ExpectConditions(o, "True/SecretGone", accepted)
				Expect(Message(o, "Ready")).To(Equal("The key still works, but no Secret holds it: " + lost.cause +
					". To get a new key in a new Secret, set annotation keywright.dev/rotate."))
				Expect(o.HolderStatus().SecretName).To(BeEmpty())
				Expect(e.Accepted(ctx, one, old)).To(BeTrue())
				Expect(e.Accepted(ctx, one, e.Brought())).To(BeFalse())
				Expect(e.Events.Take()).To(ConsistOf(And(HavePrefix("Warning Secret"), ContainSubstring(lost.cause))))
				e.Reconcile(ctx, one)
				Expect(e.Events.Take()).To(BeEmpty(), "once")

				e.Change(ctx, one, s.rotate("again"))
				Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
				Expect(e.Accepted(ctx, one, old)).To(Equal(s.DefaultOverlap > 0), "in its overlap, if any")
			})
		}
	})
}

func (s *Suite[T]) rewrittenSecret() {
	Describe("A Secret whose key is still there", func() {
		It("is repaired without a new key when only its metadata was changed", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one, s.reissue)
			for i, edit := range []func(*corev1.Secret){
				func(secret *corev1.Secret) { secret.ManagedFields = []metav1.ManagedFieldsEntry{{}} },
				func(secret *corev1.Secret) { secret.Annotations[v1alpha1.AnnotationKeyID] = "0000" },
				func(secret *corev1.Secret) { delete(secret.Labels, v1alpha1.LabelIssuedFor) },
				func(secret *corev1.Secret) { delete(secret.Labels, v1alpha1.LabelManagedBy) },
				func(secret *corev1.Secret) { secret.Data[s.IdentityEntry] = []byte("User/other") },
			} {
				e.SetTime(time.Duration(i*10) * time.Minute)
				e.EditSecret(ctx, e.SecretOf(one), edit)
				e.Reconcile(ctx, one)
				status, secret := e.Get(ctx, one).HolderStatus(), e.Secret(ctx, e.SecretOf(one))
				Expect(status.Keys).To(Equal(before.HolderStatus().Keys))
				Expect(secret.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationKeyID, status.Keys[0].ID))
				Expect(secret.Labels).To(And(HaveKeyWithValue(v1alpha1.LabelIssuedFor, s.Name),
					HaveKeyWithValue(v1alpha1.LabelManagedBy, v1alpha1.ManagedByKeywright)))
				Expect(secret.Data).To(HaveKeyWithValue(s.IdentityEntry, []byte(s.Identity)))
			}
		})

		It("keeps the entries that others add", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one)
			e.EditSecret(ctx, e.SecretOf(one), func(s *corev1.Secret) { s.Data["theirs"] = []byte("stays") })
			e.Reconcile(ctx, one)
			Expect(e.Get(ctx, one).GetResourceVersion()).To(Equal(before.GetResourceVersion()))
			e.Change(ctx, one, s.rotate("1"))
			Expect(e.Secret(ctx, e.SecretOf(one)).Data).To(HaveKeyWithValue("theirs", []byte("stays")))
		})
	})
}

func (s *Suite[T]) foreignSecret() {
	Describe("A foreign Secret", func() {
		It("is never touched, and work continues when it is gone", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			foreign := e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			o := e.PassGrace(ctx, one)
			ExpectConditions(o, "False/SecretConflict", noKey)
			Expect(Condition(o, "Stalled")).To(Equal("True/SecretConflict"))
			message := "Secret " + e.SecretOf(one) + " exists and does not belong to Keywright: " +
				"delete it, name another in spec.secret.name, " +
				`or hand its key over with annotation keywright.dev/adopt: "true" on the Secret. ` +
				"Keywright checks it again every minute."
			Expect(Message(o, "Stalled")).To(Equal(message))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			Expect(e.Events.Take()).To(ConsistOf("Warning SecretConflict " + message))
			Expect(e.Reconcile(ctx, one)).To(Equal(time.Minute))
			Expect(e.Secret(ctx, e.SecretOf(one)).ResourceVersion).To(Equal(foreign.ResourceVersion))
			Expect(e.Get(ctx, one).GetResourceVersion()).To(Equal(o.GetResourceVersion()))

			Expect(s.Plane.Client.Delete(ctx, foreign)).To(Succeed())
			e.Reconcile(ctx, one)
			ExpectConditions(e.Get(ctx, one), issued, accepted)
		})

		It("is not touched when it appears between the writes of digest and Secret", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			var foreign *corev1.Secret
			e.Client = kit.BeforeWrite(s.Cached, 2, func() { foreign = e.Foreign(ctx, e.SecretOf(one)) })
			e.Create(ctx, one)
			e.Reconcile(ctx, one)
			Expect(e.Secret(ctx, e.SecretOf(one)).ResourceVersion).To(Equal(foreign.ResourceVersion))
			o := e.PassGrace(ctx, one)
			Expect(Condition(o, "Stalled")).To(Equal("True/SecretConflict"))
			Expect(o.HolderStatus().Keys).To(BeEmpty())
		})

		It("is left alone when the object's keys are ended and when it is deleted", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			foreign := e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			e.Change(ctx, one, s.End)
			e.Remove(ctx, one)
			Expect(e.Secret(ctx, e.SecretOf(one)).ResourceVersion).To(Equal(foreign.ResourceVersion))
		})
	})
}

func (s *Suite[T]) secretInTheWay() {
	Describe("A Secret in the way", func() {
		It("is avoided by another name", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Foreign(ctx, e.SecretOf(one))
			e.Apply(ctx, one)
			ExpectConditions(e.Change(ctx, one, s.secretNamed("another")), issued, accepted)
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, "another"))).To(BeTrue())
		})

		It("may be that of another object of the same kind", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one)
			first := e.Secret(ctx, e.SecretOf(one))
			e.Apply(ctx, "other", s.secretNamed(e.SecretOf(one)))
			o := e.PassGrace(ctx, "other")
			ExpectConditions(o, "False/SecretConflict", noKey)
			Expect(Message(o, "Stalled")).To(ContainSubstring(
				"Secret " + e.SecretOf(one) + " belongs to " + s.Name + " one: name another in spec.secret.name"))
			Expect(e.Secret(ctx, e.SecretOf(one)).ResourceVersion).To(Equal(first.ResourceVersion))
		})

		It("of a rename leaves the key where it is", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			before := e.Apply(ctx, one)
			plaintext := e.Plaintext(ctx, e.SecretOf(one))
			e.Foreign(ctx, "taken")
			o := e.Change(ctx, one, s.secretNamed("taken"))
			ExpectConditions(o, "False/SecretConflict", accepted)
			Expect(o.HolderStatus().Keys).To(Equal(before.HolderStatus().Keys))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(plaintext))
			ExpectConditions(e.Change(ctx, one, s.secretNamed(e.SecretOf(one))), issued, accepted)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(plaintext))
		})
	})
}
