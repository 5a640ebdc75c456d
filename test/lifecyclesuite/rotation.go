package lifecyclesuite

import (
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

func (s *Suite[T]) requestedRotation() {
	Describe("A requested rotation", func() {
		It("of the default overlap replaces the key once for each request", func(ctx SpecContext) {
			s.checkRotation(ctx, func(T) {}, s.DefaultOverlap)
		})
		for overlap, wanted := range map[v1alpha1.Duration]time.Duration{
			"0s": 0, "10m": 10 * time.Minute, "1h": time.Hour,
		} {
			It("of overlap "+string(overlap)+" replaces the key once for each request", func(ctx SpecContext) {
				s.checkRotation(ctx, s.overlapOf(overlap), wanted)
			})
		}

		It("may have any length", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.rotate(longRequest))
			Expect(o.HolderStatus().LastRotateRequest).To(HavePrefix("sha256:"))
			e.Reconcile(ctx, one)
			Expect(e.Events.Take()).To(HaveLen(1))
		})
	})
}

// checkRotation checks a rotation, and that the old key is accepted until the end of its overlap, exactly.
func (s *Suite[T]) checkRotation(ctx SpecContext, change func(T), overlap time.Duration) {
	GinkgoHelper()
	e := s.NewEnv(ctx)
	old := e.Apply(ctx, one, change).HolderStatus().Keys[0]
	leaving := e.Plaintext(ctx, e.SecretOf(one))
	e.Events.Take()

	e.Edit(ctx, one, s.rotate("please"))
	Expect(e.Reconcile(ctx, one)).To(Equal(overlap))
	o := e.Get(ctx, one)
	fresh, keys := e.Plaintext(ctx, e.SecretOf(one)), o.HolderStatus().Keys
	Expect(fresh).NotTo(Equal(leaving))
	Expect(e.Accepted(ctx, one, fresh)).To(BeTrue())
	Expect(o.HolderStatus().LastRotateRequest).To(Equal("please"))
	ExpectConditions(o, issued, accepted)
	rotated := "Normal KeyRotated Rotated: key " + keys[0].ID + " (" + fresh[:12] + "…) is in Secret " +
		e.SecretOf(one) + " (rotation requested); key " + old.ID
	if overlap == 0 {
		Expect(keys).To(HaveLen(1))
		Expect(e.Accepted(ctx, one, leaving)).To(BeFalse())
		Expect(e.Events.Take()).To(ConsistOf(rotated + " is refused from now on"))
	} else {
		Expect(keys).To(HaveLen(2))
		Expect(keys[1].ID).To(Equal(old.ID))
		Expect(keys[1].ExpiresAt.Time).To(BeTemporally("==", Begin.Add(overlap)))
		Expect(e.Events.Take()).To(ConsistOf(
			rotated + " is accepted until " + Begin.Add(overlap).Format(time.RFC3339)))
	}
	e.Change(ctx, one, s.rotate("please"))
	Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(fresh))
	if overlap > 0 {
		s.checkEndOfOverlap(ctx, e, leaving, overlap)
		Expect(e.Events.Take()).To(ConsistOf("Normal KeyEnded The overlap has ended for key " + old.ID))
	}
	Expect(e.Accepted(ctx, one, fresh)).To(BeTrue())
}

func (*Suite[T]) checkEndOfOverlap(ctx SpecContext, e *Env[T], leaving string, overlap time.Duration) {
	GinkgoHelper()
	Expect(e.At(ctx, overlap-time.Second, one).HolderStatus().Keys).To(HaveLen(2))
	e.SetTime(overlap - 1)
	Expect(e.Accepted(ctx, one, leaving)).To(BeTrue())
	e.SetTime(overlap)
	Expect(e.Accepted(ctx, one, leaving)).To(BeFalse(), "refused before the operator reconciles")
	Expect(e.Reconcile(ctx, one)).To(BeZero())
	Expect(e.Get(ctx, one).HolderStatus().Keys).To(HaveLen(1))
}

func (s *Suite[T]) overlap() {
	Describe("An overlap", func() {
		for _, shortened := range []v1alpha1.Duration{"30s", "0s"} {
			It("of a leaked key ends early when shortened to "+string(shortened)+", and no later when lengthened",
				func(ctx SpecContext) {
					e := s.NewEnv(ctx)
					e.Apply(ctx, one, s.overlapOf("1h"))
					leaked := e.Plaintext(ctx, e.SecretOf(one))
					e.Change(ctx, one, s.rotate("1"))
					Expect(e.Accepted(ctx, one, leaked)).To(BeTrue())
					o := e.Change(ctx, one, s.overlapOf("10h"))
					Expect(o.HolderStatus().Keys[1].ExpiresAt.Time).To(BeTemporally("==", Begin.Add(time.Hour)))
					e.SetTime(time.Minute)
					o = e.Change(ctx, one, s.overlapOf(shortened))
					Expect(o.HolderStatus().Keys).To(HaveLen(1))
					Expect(e.Accepted(ctx, one, leaked)).To(BeFalse())
					Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
				})
		}

		It("never leaves more old keys than status has room for", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("10h"))
			for i := range 20 {
				e.Change(ctx, one, s.rotate(strconv.Itoa(i)))
			}
			Expect(e.Get(ctx, one).HolderStatus().Keys).To(HaveLen(17))
			Expect(e.Accepted(ctx, one, e.Plaintext(ctx, e.SecretOf(one)))).To(BeTrue())
		})
	})
}

func (s *Suite[T]) schedule() {
	Describe("A scheduled rotation", func() {
		It("happens when it is due and not before, and status shows when that is", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			o := e.Apply(ctx, one, s.every("24h"), s.overlapOf("1h"))
			Expect(o.HolderStatus().NextRotationAt.Time).To(BeTemporally("==", Begin.Add(24*time.Hour)))
			first := e.Plaintext(ctx, e.SecretOf(one))
			e.Events.Take()
			e.SetTime(24*time.Hour - time.Second)
			Expect(e.Reconcile(ctx, one)).To(Equal(time.Second))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(first))

			o = e.At(ctx, 24*time.Hour, one)
			Expect(e.Plaintext(ctx, e.SecretOf(one))).NotTo(Equal(first))
			Expect(o.HolderStatus().NextRotationAt.Time).To(BeTemporally("==", Begin.Add(48*time.Hour)))
			Expect(e.Events.Take()).To(ConsistOf(And(ContainSubstring("(rotation scheduled)"),
				ContainSubstring("is accepted until 2030-01-02T13:00:00Z"))))
		})
	})
}

func (s *Suite[T]) rotationAfter() {
	Describe("rotation.after", func() {
		It("replaces an older key once, when it has come and not before", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.overlapOf("1h"))
			first := e.Plaintext(ctx, e.SecretOf(one))
			e.Events.Take()
			o := e.Change(ctx, one, s.after(24*time.Hour))
			ExpectConditions(o, issued, accepted)
			Expect(o.HolderStatus().NextRotationAt.Time).To(BeTemporally("==", Begin.Add(24*time.Hour)))
			e.SetTime(24*time.Hour - time.Second)
			Expect(e.Reconcile(ctx, one)).To(Equal(time.Second))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(first))

			o = e.At(ctx, 24*time.Hour, one)
			second := e.Plaintext(ctx, e.SecretOf(one))
			Expect(second).NotTo(Equal(first))
			Expect(e.Accepted(ctx, one, first)).To(BeTrue(), "in its overlap")
			Expect(o.HolderStatus().NextRotationAt).To(BeNil())
			Expect(e.Events.Take()).To(ConsistOf(And(ContainSubstring("(rotation.after has come)"),
				ContainSubstring("is accepted until 2030-01-02T13:00:00Z"))))
			for _, since := range []time.Duration{24*time.Hour + time.Second, 23 * time.Hour, 48 * time.Hour} {
				e.At(ctx, since, one)
				Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(second), "also when the clock steps back")
			}
		})

		It("acts at once when it is past, and not for a key issued at that time or later", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.after(0))
			first := e.Plaintext(ctx, e.SecretOf(one))
			e.SetTime(time.Hour)
			e.Change(ctx, one, s.after(-time.Hour))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).To(Equal(first))
			e.Change(ctx, one, s.after(time.Minute))
			Expect(e.Plaintext(ctx, e.SecretOf(one))).NotTo(Equal(first))
		})

		It("rotates once together with a schedule and a request", func(ctx SpecContext) {
			e := s.NewEnv(ctx)
			e.Apply(ctx, one, s.every("24h"), s.overlapOf("1h"))
			e.Events.Take()
			e.SetTime(24 * time.Hour)
			o := e.Change(ctx, one, s.after(24*time.Hour), s.rotate("please"))
			Expect(o.HolderStatus().Keys).To(HaveLen(2))
			Expect(e.Events.Take()).To(HaveLen(1))
			Expect(o.HolderStatus().NextRotationAt.Time).To(BeTemporally("==", Begin.Add(48*time.Hour)))
		})
	})
}
