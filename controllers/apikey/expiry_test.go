package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
)

// endsAt is when the current key ends, after the beginning.
func endsAt(k *v1alpha1.APIKey) time.Duration {
	GinkgoHelper()
	Expect(k.Status.Keys).NotTo(BeEmpty())
	Expect(k.Status.Keys[0].NotAfter).NotTo(BeNil(), "the key has no end")
	return k.Status.Keys[0].NotAfter.Sub(begin)
}

var _ = Describe("An expiry", func() {
	for what, change := range map[string]func(*v1alpha1.APIKey){"expiresAt": expires(time.Hour), "ttl": ttl("1h")} {
		It("by "+what+" comes at its instant, leaves the object Ready and is told once", func(ctx SpecContext) {
			b := newBench(ctx)
			b.create(ctx, "ci", change)
			Expect(b.reconcile(ctx, "ci")).To(Equal(time.Hour))
			Expect(endsAt(b.get(ctx, "ci"))).To(Equal(time.Hour))
			plaintext := b.plaintext(ctx, "ci-api-key")
			b.events.Take()
			says(b.at(ctx, time.Hour-time.Second, "ci"), "True/Issued", "True/Accepted")
			Expect(b.events.Take()).To(BeEmpty())
			b.clock.SetTime(begin.Add(time.Hour - 1))
			Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())

			b.clock.SetTime(begin.Add(time.Hour))
			Expect(b.reconcile(ctx, "ci")).To(BeZero())
			k := b.get(ctx, "ci")
			says(k, "True/Issued", "False/Expired")
			Expect(messageOf(k, "Active")).To(Equal("The key expired at 2030-01-01T13:00:00Z."))
			Expect(k.Status.Keys).To(HaveLen(1), "that it ended is on record")
			Expect(b.accepted(ctx, "ci", plaintext)).To(BeFalse())
			Expect(b.events.Take()).To(ConsistOf("Normal KeyExpired The key expired at 2030-01-01T13:00:00Z."))
			b.at(ctx, 2*time.Hour, "ci")
			Expect(b.events.Take()).To(BeEmpty())
			Expect(b.get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))
		})
	}

	It("is the earliest of ttl and what the roles allow", func(ctx SpecContext) {
		b := newBench(ctx)
		long, short := b.role(ctx, "long", maxTTL("10h")), b.role(ctx, "short", maxTTL("2h"))
		Expect(endsAt(b.key(ctx, "by-role", ttl("20h"), using(long, short)))).To(Equal(2 * time.Hour))
		Expect(endsAt(b.key(ctx, "by-ttl", ttl("1h"), using(long, short)))).To(Equal(time.Hour))
		Expect(endsAt(b.key(ctx, "by-role-alone", using(long)))).To(Equal(10 * time.Hour))
		Expect(endsAt(b.key(ctx, "by-instant", expires(30*time.Minute), using(short)))).To(Equal(30 * time.Minute))
		Expect(endsAt(b.key(ctx, "by-role-before-instant", expires(30*time.Hour), using(long)))).To(Equal(10 * time.Hour))
	})

	It("takes three writes to issue for, at any moment within a second", func(ctx SpecContext) {
		b := newBench(ctx)
		b.clock.SetTime(begin.Add(500 * time.Millisecond))
		b.create(ctx, "ci", ttl("1h"))
		writes := 0
		b.client = kit.CountWrites(cached, &writes)
		b.reconcile(ctx, "ci")
		Expect(writes).To(Equal(3))
		Expect(endsAt(b.get(ctx, "ci"))).To(Equal(time.Hour))
	})

	It("by ttl is counted anew with each rotation, that by expiresAt is not", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ttl", ttl("10h"))
		b.key(ctx, "instant", expires(10*time.Hour))
		b.clock.SetTime(begin.Add(2 * time.Hour))
		Expect(endsAt(b.change(ctx, "ttl", rotate("1")))).To(Equal(12 * time.Hour))
		Expect(endsAt(b.change(ctx, "instant", rotate("1")))).To(Equal(10 * time.Hour))
	})

	It("follows the manifest, both ways", func(ctx SpecContext) {
		b := newBench(ctx)
		before := b.key(ctx, "ci", expires(10*time.Hour))
		Expect(endsAt(b.change(ctx, "ci", expires(5*time.Hour)))).To(Equal(5 * time.Hour))
		Expect(endsAt(b.change(ctx, "ci", expires(20*time.Hour)))).To(Equal(20 * time.Hour))
		k := b.change(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = nil })
		Expect(k.Status.Keys).To(HaveExactElements(HaveField("ID", before.Status.Keys[0].ID)), "the same key all the time")
		Expect(k.Status.Keys[0].NotAfter).To(BeNil())
	})
})

var _ = Describe("A past expiresAt", func() {
	It("is no mistake: no key is issued, and one is when it is made later", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", expires(-time.Hour))
		says(k, "True/Expired", "False/Expired")
		const told = "spec.expiresAt 2030-01-01T11:00:00Z is in the past: no key was issued."
		Expect(messageOf(k, "Ready")).To(Equal(told))
		Expect(messageOf(k, "Active")).To(Equal(told))
		Expect(k.Status.Keys).To(BeEmpty())
		Expect(k.Status.SecretName).To(BeEmpty())
		b.noSecret(ctx, "ci-api-key")
		Expect(b.events.Take()).To(ConsistOf("Warning KeyExpired " + told))
		b.reconcile(ctx, "ci")
		Expect(b.events.Take()).To(BeEmpty(), "once")

		k = b.change(ctx, "ci", expires(time.Hour))
		says(k, "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
		Expect(b.events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
	})

	It("is past at the very instant, and so is the first instant there is", func(ctx SpecContext) {
		b := newBench(ctx)
		says(b.key(ctx, "now", expires(0)), "True/Expired", "False/Expired")
		// Written as text: a Go client can't say it.
		first := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"subject": map[string]any{"kind": "Account", "name": "ci"}, "expiresAt": "0001-01-01T00:00:00Z",
		}}}
		first.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("APIKey"))
		first.SetNamespace(b.namespace)
		first.SetName("first")
		Expect(plane.Client.Create(ctx, first)).To(Succeed())
		Eventually(ctx, func() error { return cached.Get(ctx, b.name("first"), &v1alpha1.APIKey{}) }).Should(Succeed())
		b.reconcile(ctx, "first")
		says(b.get(ctx, "first"), "True/Expired", "False/Expired")
		b.noSecret(ctx, "first-api-key")
	})

	It("of a key that exists ends it, and the same key works again when it is made later or removed", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci")
		plaintext := b.plaintext(ctx, "ci-api-key")
		says(b.change(ctx, "ci", expires(-time.Hour)), "True/Issued", "False/Expired")
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeFalse())
		says(b.change(ctx, "ci", expires(time.Hour)), "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
		b.at(ctx, time.Hour, "ci")
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeFalse())
		k := b.change(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = nil })
		says(k, "True/Issued", "True/Accepted")
		Expect(b.plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
	})

	It("ends the schedule too", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", every("2h"), expires(5*time.Hour))
		b.at(ctx, 4*time.Hour, "ci")
		b.events.Take()
		b.clock.SetTime(begin.Add(10 * time.Hour))
		Expect(b.reconcile(ctx, "ci")).To(BeZero())
		k := b.get(ctx, "ci")
		says(k, "True/Issued", "False/Expired")
		Expect(k.Status.NextRotation).To(BeNil())
		Expect(b.events.Take()).NotTo(ContainElement(ContainSubstring("KeyRotated")))
	})
})

var _ = Describe("A key that ended by its ttl", func() {
	It("is replaced when a rotation is asked for, and nobody is told that it is still accepted", func(ctx SpecContext) {
		b := newBench(ctx)
		old := b.key(ctx, "ci", ttl("1h")).Status.Keys[0].ID
		b.at(ctx, 2*time.Hour, "ci")
		b.events.Take()
		k := b.change(ctx, "ci", rotate("1"))
		says(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(3 * time.Hour))
		Expect(k.Status.Keys).To(HaveLen(1))
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
		Expect(b.events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"), HaveSuffix("; key "+old+" is refused from now on"))))
	})

	It("is replaced by its schedule where a role ended it before", func(ctx SpecContext) {
		b := newBench(ctx)
		k := b.key(ctx, "ci", every("10h"), using(b.role(ctx, "short", maxTTL("1h"))))
		Expect(endsAt(k)).To(Equal(time.Hour))
		says(b.at(ctx, 2*time.Hour, "ci"), "True/Issued", "False/Expired")
		k = b.at(ctx, 10*time.Hour, "ci")
		says(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(11 * time.Hour))
	})

	It("is not issued anew when its Secret is deleted, and nobody is told that it goes on working", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", ttl("1h"))
		ended := b.at(ctx, time.Hour, "ci")
		b.events.Take()
		b.deleteSecret(ctx, "ci-api-key")
		b.reconcile(ctx, "ci")
		k := b.get(ctx, "ci")
		Expect(k.Status.Keys).To(Equal(ended.Status.Keys))
		b.noSecret(ctx, "ci-api-key")
		Expect(reasonOf(k, "Active")).To(Equal("False/Expired"))
		Expect(reasonOf(k, "Ready")).To(HavePrefix("True/"))
		Expect(messageOf(k, "Ready")).NotTo(ContainSubstring("still works"))
		Expect(b.events.Take()).NotTo(ContainElement(ContainSubstring("still works")))

		k = b.change(ctx, "ci", rotate("1"))
		says(k, "True/Issued", "True/Accepted")
		Expect(b.accepted(ctx, "ci", b.plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("works again when the ttl is made longer", func(ctx SpecContext) {
		b := newBench(ctx)
		b.key(ctx, "ci", ttl("1h"))
		plaintext := b.plaintext(ctx, "ci-api-key")
		b.at(ctx, 2*time.Hour, "ci")
		k := b.change(ctx, "ci", ttl("3h"))
		says(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(3 * time.Hour))
		Expect(b.accepted(ctx, "ci", plaintext)).To(BeTrue())
	})
})
