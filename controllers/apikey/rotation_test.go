package apikey_test

import (
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

var _ = Describe("A requested rotation", func() {
	It("replaces the key once for each request, and the old one is accepted for an hour, exactly", func(ctx SpecContext) {
		b := newBench(ctx)
		old := b.key(ctx, "ci").Status.Keys[0]
		leaving := b.plaintext(ctx, "ci-api-key")
		b.events.Take()

		b.edit(ctx, "ci", rotate("please"))
		Expect(b.reconcile(ctx, "ci")).To(Equal(time.Hour))
		k := b.get(ctx, "ci")
		fresh := b.plaintext(ctx, "ci-api-key")
		Expect(fresh).NotTo(Equal(leaving))
		Expect(k.Status.LastRotateRequest).To(Equal("please"))
		Expect(k.Status.Keys).To(HaveLen(2))
		Expect(k.Status.Keys[1].ID).To(Equal(old.ID))
		Expect(k.Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(time.Hour)))
		says(k, "True/Issued", "True/Accepted")
		Expect(b.events.Take()).To(ConsistOf("Normal KeyRotated Rotated: key " + k.Status.Keys[0].ID + " (" + fresh[:12] +
			"…) is in Secret ci-api-key (rotation requested); key " + old.ID + " is accepted until 2030-01-01T13:00:00Z"))
		b.change(ctx, "ci", rotate("please"))
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(fresh))

		Expect(b.at(ctx, time.Hour-time.Second, "ci").Status.Keys).To(HaveLen(2))
		b.clock.SetTime(begin.Add(time.Hour - 1))
		Expect(b.accepted(ctx, "ci", leaving)).To(BeTrue())
		b.clock.SetTime(begin.Add(time.Hour))
		Expect(b.accepted(ctx, "ci", leaving)).To(BeFalse(), "refused before the operator has looked")
		Expect(b.reconcile(ctx, "ci")).To(BeZero())
		Expect(b.get(ctx, "ci").Status.Keys).To(HaveLen(1))
		Expect(b.events.Take()).To(ConsistOf("Normal KeyEnded The overlap has ended for key " + old.ID))
		Expect(b.accepted(ctx, "ci", fresh)).To(BeTrue())
	})

	It("ends the old key at once where the overlap is 0s", func(ctx SpecContext) {
		b := newBench(ctx)
		old := b.key(ctx, "ci", overlap("0s")).Status.Keys[0].ID
		leaving := b.plaintext(ctx, "ci-api-key")
		b.events.Take()
		k := b.change(ctx, "ci", rotate("1"))
		Expect(k.Status.Keys).To(HaveLen(1))
		Expect(b.accepted(ctx, "ci", leaving)).To(BeFalse())
		Expect(b.events.Take()).To(ConsistOf(ContainSubstring("key " + old + " is refused from now on")))
	})

	It("ends a leaked key early when the overlap is shortened, and none later when it is made longer", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		leaked := b.plaintext(ctx, "ci-api-key")
		b.change(ctx, "ci", rotate("1"))
		k := b.change(ctx, "ci", overlap("10h"))
		Expect(k.Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(time.Hour)))
		b.clock.SetTime(begin.Add(time.Minute))
		k = b.change(ctx, "ci", overlap("30s"))
		Expect(k.Status.Keys).To(HaveLen(1))
		Expect(b.accepted(ctx, "ci", leaked)).To(BeFalse())
	})

	It("never lets a key in overlap outlive its own end", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", ttl("90m"))
		b.clock.SetTime(begin.Add(time.Hour))
		b.edit(ctx, "ci", rotate("1"))
		Expect(b.reconcile(ctx, "ci")).To(Equal(30 * time.Minute))
		k := b.get(ctx, "ci")
		Expect(k.Status.Keys[0].NotAfter.Time).To(BeTemporally("==", begin.Add(150*time.Minute)))
		Expect(k.Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(90*time.Minute)), "its own end, not that of the overlap")
	})

	It("never runs out of room for old keys", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		for i := range 18 {
			b.change(ctx, "ci", rotate(strconv.Itoa(i)))
		}
		Expect(b.get(ctx, "ci").Status.Keys).To(HaveLen(17))
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})
})

var _ = Describe("A scheduled rotation", func() {
	It("comes when it is due and not before, and says when that is", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", every("24h"))
		Expect(k.Status.NextRotation.Time).To(BeTemporally("==", begin.Add(24*time.Hour)))
		first := b.plaintext(ctx, "ci-api-key")
		b.events.Take()
		b.clock.SetTime(begin.Add(24*time.Hour - time.Second))
		Expect(b.reconcile(ctx, "ci")).To(Equal(time.Second))
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(first))

		k = b.at(ctx, 24*time.Hour, "ci")
		Expect(b.plaintext(ctx, "ci-api-key")).NotTo(Equal(first))
		Expect(k.Status.NextRotation.Time).To(BeTemporally("==", begin.Add(48*time.Hour)))
		Expect(b.events.Take()).To(ConsistOf(And(ContainSubstring("(rotation scheduled)"), ContainSubstring("is accepted until 2030-01-02T13:00:00Z"))))
	})

	for interval, wanted := range map[v1alpha1.Duration]time.Duration{"24h": time.Hour, "2h": time.Hour, "90m": 45 * time.Minute, "1m": 30 * time.Second} {
		It("every "+string(interval)+" leaves an overlap of "+wanted.String()+" where none is asked for", func(ctx SpecContext) {
			b := newBench(ctx)
			b.key(ctx, "ci", every(interval))
			b.edit(ctx, "ci", rotate("1"))
			Expect(b.reconcile(ctx, "ci")).To(Equal(wanted), "the end of the overlap is before the next rotation")
			Expect(b.get(ctx, "ci").Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(wanted)))
		})
	}

	It("has the overlap that is asked for", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", every("24h"), overlap("12h"))
		b.change(ctx, "ci", rotate("1"))
		Expect(b.get(ctx, "ci").Status.Keys[1].NotAfter.Time).To(BeTemporally("==", begin.Add(12*time.Hour)))
	})

	It("begins to count with a schedule that is added, and ends with one that is taken away", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		b.clock.SetTime(begin.Add(time.Hour))
		k := b.change(ctx, "ci", every("2h"))
		Expect(k.Status.NextRotation.Time).To(BeTemporally("==", begin.Add(2*time.Hour)), "from the issue of the key")
		k = b.change(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.Rotation = nil })
		Expect(k.Status.NextRotation).To(BeNil())
	})

	It("rotates once after a long time away, not once for each that was missed", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", every("24h"))
		b.events.Take()
		b.at(ctx, 1000*time.Hour, "ci")
		Expect(b.events.Take()).To(HaveLen(1))
	})

	It("is looked at again at the first of all deadlines", func(ctx SpecContext) {
		b := newBench(ctx)
		b.create(ctx, "ci", every("24h"), overlap("2h"), ttl("30h"))
		Expect(b.reconcile(ctx, "ci")).To(Equal(24*time.Hour), "the rotation")
		b.clock.SetTime(begin.Add(23 * time.Hour))
		b.edit(ctx, "ci", rotate("1"))
		Expect(b.reconcile(ctx, "ci")).To(Equal(2*time.Hour), "the end of the overlap")
		b.edit(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.TTL = nil }, expires(24*time.Hour))
		Expect(b.reconcile(ctx, "ci")).To(Equal(time.Hour), "the end of the keys")
	})
})

var _ = Describe("An idle key", func() {
	for what, change := range map[string]func(*v1alpha1.APIKey){
		"without a schedule": func(*v1alpha1.APIKey) {},
		"with a schedule":    every("10000h"),
		"with an end":        ttl("10000h"),
		"that is disabled":   enabled(false),
		"that is revoked":    revoked,
	} {
		It(what+" is written nothing for, however often it is looked at", func(ctx SpecContext) {
			b := newBench(ctx)
			before := b.key(ctx, "ci", change)
			writes := 0
			b.client = kit.CountWrites(cached, &writes)
			for i := range 5 {
				b.at(ctx, time.Duration(i*1000)*time.Hour, "ci")
			}
			Expect(writes).To(BeZero())
			Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(before.ResourceVersion))
		})
	}
})
