package apikey_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
)

var _ = Describe("A requested rotation", func() {
	It("never lets a key in overlap outlive its own end", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", ttl("90m"))
		e.SetTime(time.Hour)
		e.Edit(ctx, "ci", rotate("1"))
		Expect(e.Reconcile(ctx, "ci")).To(Equal(30 * time.Minute))
		k := e.Get(ctx, "ci")
		Expect(k.Status.Keys[0].ExpiresAt.Time).To(BeTemporally("==", begin.Add(150*time.Minute)))
		Expect(k.Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(90*time.Minute)),
			"its own end, not that of the overlap")
	})
})

var _ = Describe("A scheduled rotation", func() {
	for interval, wanted := range map[v1alpha1.Duration]time.Duration{
		"24h": time.Hour, "2h": time.Hour, "90m": 45 * time.Minute, "1m": 30 * time.Second,
	} {
		It("every "+string(interval)+" has a default overlap of "+wanted.String(), func(ctx SpecContext) {
			e := newEnv(ctx)
			e.Apply(ctx, "ci", every(interval))
			e.Edit(ctx, "ci", rotate("1"))
			Expect(e.Reconcile(ctx, "ci")).To(Equal(wanted), "the end of the overlap is before the next rotation")
			Expect(e.Get(ctx, "ci").Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(wanted)))
		})
	}

	It("has the overlap that the spec sets", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", every("24h"), overlap("12h"))
		e.Change(ctx, "ci", rotate("1"))
		Expect(e.Get(ctx, "ci").Status.Keys[1].ExpiresAt.Time).To(BeTemporally("==", begin.Add(12*time.Hour)))
	})

	It("is due from the time a schedule is added, and never after it is removed", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci")
		e.SetTime(time.Hour)
		k := e.Change(ctx, "ci", every("2h"))
		Expect(k.Status.NextRotationAt.Time).To(BeTemporally("==", begin.Add(2*time.Hour)), "from the issue of the key")
		k = e.Change(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.Rotation = nil })
		Expect(k.Status.NextRotationAt).To(BeNil())
	})

	It("happens once after a long absence, not once for each missed one", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", every("24h"))
		e.Events.Take()
		e.At(ctx, 1000*time.Hour, "ci")
		Expect(e.Events.Take()).To(HaveLen(1))
	})

	It("is reconciled again at the earliest deadline", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Create(ctx, "ci", every("24h"), overlap("2h"), ttl("30h"))
		Expect(e.Reconcile(ctx, "ci")).To(Equal(24*time.Hour), "the rotation")
		e.SetTime(23 * time.Hour)
		e.Edit(ctx, "ci", rotate("1"))
		Expect(e.Reconcile(ctx, "ci")).To(Equal(2*time.Hour), "the end of the overlap")
		e.Edit(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.TTL = nil }, expires(24*time.Hour))
		Expect(e.Reconcile(ctx, "ci")).To(Equal(time.Hour), "the end of the keys")
	})
})

var _ = Describe("An idle key with an end", func() {
	It("causes no write, however often it is reconciled", func(ctx SpecContext) {
		e := newEnv(ctx)
		before := e.Apply(ctx, "ci", ttl("10000h"))
		e.CheckIdle(ctx, "ci")
		Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
	})
})

var _ = Describe("A clock that jumps back", func() {
	for what, back := range map[string]time.Duration{
		"an hour": time.Hour, "years, before the object was created": 20 * 365 * 24 * time.Hour,
	} {
		It("by "+what+" loses no key and causes no storm of rotations", func(ctx SpecContext) {
			e := newEnv(ctx)
			e.Apply(ctx, "ci", every("24h"), ttl("30h"))
			e.At(ctx, 24*time.Hour, "ci")
			before := e.Get(ctx, "ci")
			Expect(before.Status.Keys).To(HaveLen(2))
			e.Events.Take()

			e.SetTime(-back)
			for range 3 {
				e.Reconcile(ctx, "ci")
			}
			Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
			k := e.Change(ctx, "ci", rotate("while it is wrong"))
			expectConditions(k, "True/Issued", "True/Accepted")
			Expect(e.Accepted(ctx, "ci", e.Plaintext(ctx, "ci-api-key"))).To(BeTrue())
			Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyRotated")))

			e.At(ctx, 24*time.Hour, "ci")
			e.At(ctx, 25*time.Hour, "ci")
			rotations := 0
			for _, event := range e.Events.Take() {
				if strings.HasPrefix(event, "Normal KeyRotated") {
					rotations++
				}
			}
			Expect(rotations).To(BeNumerically("<=", 1))
			expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
		})
	}
})
