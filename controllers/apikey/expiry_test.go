package apikey_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/test/kit"
)

// endsAt returns how long after begin the current key ends.
func endsAt(k *v1alpha1.APIKey) time.Duration {
	GinkgoHelper()
	Expect(k.Status.Keys).NotTo(BeEmpty())
	Expect(k.Status.Keys[0].ExpiresAt).NotTo(BeNil(), "the key has no end")
	return k.Status.Keys[0].ExpiresAt.Sub(begin)
}

var _ = Describe("An expiry", func() {
	for what, change := range map[string]func(*v1alpha1.APIKey){"expiresAt": expires(time.Hour), "ttl": ttl("1h")} {
		It("by "+what+" takes effect at its instant, leaves the object Ready and is reported once", func(ctx SpecContext) {
			e := newEnv(ctx)
			e.Create(ctx, "ci", change)
			Expect(e.Reconcile(ctx, "ci")).To(Equal(time.Hour))
			Expect(endsAt(e.Get(ctx, "ci"))).To(Equal(time.Hour))
			plaintext := e.Plaintext(ctx, "ci-api-key")
			e.Events.Take()
			expectConditions(e.At(ctx, time.Hour-time.Second, "ci"), "True/Issued", "True/Accepted")
			Expect(e.Events.Take()).To(BeEmpty())
			e.SetTime(time.Hour - 1)
			Expect(e.Accepted(ctx, "ci", plaintext)).To(BeTrue())

			e.SetTime(time.Hour)
			Expect(e.Reconcile(ctx, "ci")).To(BeZero())
			k := e.Get(ctx, "ci")
			expectConditions(k, "True/Issued", "False/Expired")
			Expect(message(k, "Active")).To(Equal("The key expired at 2030-01-01T13:00:00Z."))
			Expect(k.Status.Keys).To(HaveLen(1), "it remains recorded")
			Expect(e.Accepted(ctx, "ci", plaintext)).To(BeFalse())
			Expect(e.Events.Take()).To(ConsistOf("Normal KeyExpired The key expired at 2030-01-01T13:00:00Z."))
			e.At(ctx, 2*time.Hour, "ci")
			Expect(e.Events.Take()).To(BeEmpty())
			Expect(e.Get(ctx, "ci").ResourceVersion).To(Equal(k.ResourceVersion))
		})
	}

	It("is the earliest of ttl and what the roles allow", func(ctx SpecContext) {
		e := newEnv(ctx)
		long, short := e.role(ctx, "long", maxTTL("10h")), e.role(ctx, "short", maxTTL("2h"))
		Expect(endsAt(e.Apply(ctx, "by-role", ttl("20h"), using(long, short)))).To(Equal(2 * time.Hour))
		Expect(endsAt(e.Apply(ctx, "by-ttl", ttl("1h"), using(long, short)))).To(Equal(time.Hour))
		Expect(endsAt(e.Apply(ctx, "by-role-alone", using(long)))).To(Equal(10 * time.Hour))
		Expect(endsAt(e.Apply(ctx, "by-instant", expires(30*time.Minute), using(short)))).To(Equal(30 * time.Minute))
		Expect(endsAt(e.Apply(ctx, "by-role-before-instant", expires(30*time.Hour), using(long)))).To(Equal(10 * time.Hour))
	})

	It("needs three writes to issue, at any fraction of a second", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.SetTime(500 * time.Millisecond)
		e.Create(ctx, "ci", ttl("1h"))
		writes := 0
		e.Client = kit.CountWrites(suite.Cached, &writes)
		e.Reconcile(ctx, "ci")
		Expect(writes).To(Equal(3))
		Expect(endsAt(e.Get(ctx, "ci"))).To(Equal(time.Hour))
	})

	It("by ttl counts from each rotation, and by expiresAt does not", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ttl", ttl("10h"))
		e.Apply(ctx, "instant", expires(10*time.Hour))
		e.SetTime(2 * time.Hour)
		Expect(endsAt(e.Change(ctx, "ttl", rotate("1")))).To(Equal(12 * time.Hour))
		Expect(endsAt(e.Change(ctx, "instant", rotate("1")))).To(Equal(10 * time.Hour))
	})

	It("moves earlier or later with the manifest, without a new key", func(ctx SpecContext) {
		e := newEnv(ctx)
		before := e.Apply(ctx, "ci", expires(10*time.Hour))
		Expect(endsAt(e.Change(ctx, "ci", expires(5*time.Hour)))).To(Equal(5 * time.Hour))
		Expect(endsAt(e.Change(ctx, "ci", expires(20*time.Hour)))).To(Equal(20 * time.Hour))
		k := e.Change(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = nil })
		Expect(k.Status.Keys).To(HaveExactElements(HaveField("ID", before.Status.Keys[0].ID)), "the same key all the time")
		Expect(k.Status.Keys[0].ExpiresAt).To(BeNil())
	})
})

var _ = Describe("A past expiresAt", func() {
	It("is valid: no key is issued until it is moved into the future", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", expires(-time.Hour))
		expectConditions(k, "True/Expired", "False/Expired")
		const wanted = "spec.expiresAt 2030-01-01T11:00:00Z is in the past: no key was issued."
		Expect(message(k, "Ready")).To(Equal(wanted))
		Expect(message(k, "Active")).To(Equal(wanted))
		Expect(k.Status.Keys).To(BeEmpty())
		Expect(k.Status.SecretName).To(BeEmpty())
		e.NoSecret(ctx, "ci-api-key")
		Expect(e.Events.Take()).To(ConsistOf("Warning KeyExpired " + wanted))
		e.Reconcile(ctx, "ci")
		Expect(e.Events.Take()).To(BeEmpty(), "once")

		k = e.Change(ctx, "ci", expires(time.Hour))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, "ci", e.Plaintext(ctx, "ci-api-key"))).To(BeTrue())
		Expect(e.Events.Take()).To(ConsistOf(HavePrefix("Normal KeyIssued")))
	})

	It("may be the present instant, or the year 1", func(ctx SpecContext) {
		e := newEnv(ctx)
		expectConditions(e.Apply(ctx, "now", expires(0)), "True/Expired", "False/Expired")
		// A Go client cannot express this instant.
		first := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"subject": map[string]any{"kind": "Account", "name": "ci"}, "expiresAt": "0001-01-01T00:00:00Z",
		}}}
		first.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("APIKey"))
		first.SetNamespace(e.Namespace)
		first.SetName("first")
		Expect(suite.Plane.Client.Create(ctx, first)).To(Succeed())
		Eventually(ctx, func() error { return suite.Cached.Get(ctx, e.Key("first"), &v1alpha1.APIKey{}) }).Should(Succeed())
		e.Reconcile(ctx, "first")
		expectConditions(e.Get(ctx, "first"), "True/Expired", "False/Expired")
		e.NoSecret(ctx, "first-api-key")
	})

	It("of an issued key ends it, and the same key works again when it is extended or removed", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci")
		plaintext := e.Plaintext(ctx, "ci-api-key")
		expectConditions(e.Change(ctx, "ci", expires(-time.Hour)), "True/Issued", "False/Expired")
		Expect(e.Accepted(ctx, "ci", plaintext)).To(BeFalse())
		expectConditions(e.Change(ctx, "ci", expires(time.Hour)), "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, "ci", plaintext)).To(BeTrue())
		e.At(ctx, time.Hour, "ci")
		Expect(e.Accepted(ctx, "ci", plaintext)).To(BeFalse())
		k := e.Change(ctx, "ci", func(k *v1alpha1.APIKey) { k.Spec.ExpiresAt = nil })
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(e.Plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
		Expect(e.Accepted(ctx, "ci", plaintext)).To(BeTrue())
	})

	It("ends the schedule too", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", every("2h"), expires(5*time.Hour))
		e.At(ctx, 4*time.Hour, "ci")
		e.Events.Take()
		e.SetTime(10 * time.Hour)
		Expect(e.Reconcile(ctx, "ci")).To(BeZero())
		k := e.Get(ctx, "ci")
		expectConditions(k, "True/Issued", "False/Expired")
		Expect(k.Status.NextRotationAt).To(BeNil())
		Expect(e.Events.Take()).NotTo(ContainElement(ContainSubstring("KeyRotated")))
	})
})

var _ = Describe("A key that ended by its ttl", func() {
	It("is replaced by a requested rotation, whose event does not call it accepted", func(ctx SpecContext) {
		e := newEnv(ctx)
		old := e.Apply(ctx, "ci", ttl("1h")).Status.Keys[0].ID
		e.At(ctx, 2*time.Hour, "ci")
		e.Events.Take()
		k := e.Change(ctx, "ci", rotate("1"))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(3 * time.Hour))
		Expect(k.Status.Keys).To(HaveLen(1))
		Expect(e.Accepted(ctx, "ci", e.Plaintext(ctx, "ci-api-key"))).To(BeTrue())
		Expect(e.Events.Take()).To(ConsistOf(And(HavePrefix("Normal KeyRotated"),
			HaveSuffix("; key "+old+" is refused from now on"))))
	})

	It("is replaced on schedule when a role ended it earlier", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", every("10h"), using(e.role(ctx, "short", maxTTL("1h"))))
		Expect(endsAt(k)).To(Equal(time.Hour))
		expectConditions(e.At(ctx, 2*time.Hour, "ci"), "True/Issued", "False/Expired")
		k = e.At(ctx, 10*time.Hour, "ci")
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(11 * time.Hour))
	})

	It("is not issued again when its Secret is deleted, and no message says that it still works", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", ttl("1h"))
		ended := e.At(ctx, time.Hour, "ci")
		e.Events.Take()
		e.DeleteSecret(ctx, "ci-api-key")
		e.Reconcile(ctx, "ci")
		k := e.Get(ctx, "ci")
		Expect(k.Status.Keys).To(Equal(ended.Status.Keys))
		e.NoSecret(ctx, "ci-api-key")
		Expect(condition(k, "Active")).To(Equal("False/Expired"))
		Expect(condition(k, "Ready")).To(HavePrefix("True/"))
		Expect(message(k, "Ready")).NotTo(ContainSubstring("still works"))
		Expect(e.Events.Take()).NotTo(ContainElement(ContainSubstring("still works")))

		k = e.Change(ctx, "ci", rotate("1"))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(e.Accepted(ctx, "ci", e.Plaintext(ctx, "ci-api-key"))).To(BeTrue())
	})

	It("works again when the ttl is extended", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", ttl("1h"))
		plaintext := e.Plaintext(ctx, "ci-api-key")
		e.At(ctx, 2*time.Hour, "ci")
		k := e.Change(ctx, "ci", ttl("3h"))
		expectConditions(k, "True/Issued", "True/Accepted")
		Expect(endsAt(k)).To(Equal(3 * time.Hour))
		Expect(e.Accepted(ctx, "ci", plaintext)).To(BeTrue())
	})
})

var _ = Describe("A restored status", func() {
	It("does not revive a key that has ended since", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", expires(time.Hour))
		e.SetTime(2 * time.Hour)
		k := e.Restore(ctx, "ci", expires(time.Hour))
		Expect(condition(k, "Active")).To(Equal("False/Expired"))
		e.NoSecret(ctx, "ci-api-key")
	})
})

var _ = Describe("A status edited by hand", func() {
	It("cannot give a key more time than the spec", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.Apply(ctx, "ci", ttl("1h"))
		k := e.EditStatus(ctx, "ci", func(s *v1alpha1.KeyHolderStatus) { s.Keys[0].ExpiresAt = nil })
		Expect(endsAt(k)).To(Equal(time.Hour))
	})
})

var _ = Describe("The end of an adopted key", func() {
	It("does not become later when it is adopted again", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.HandOver(ctx, "ci-api-key", e.Brought())
		Expect(endsAt(e.Apply(ctx, "ci", ttl("1h")))).To(Equal(time.Hour))
		e.Remove(ctx, "ci")
		e.SetTime(30 * time.Minute)
		k := e.Apply(ctx, "ci", ttl("1h"))
		Expect(endsAt(k)).To(Equal(time.Hour))
		object, _ := convert.KeyObject(k)
		Expect(object.Keys[0].IssuedAt).To(BeTemporally("==", begin), "for the server, too")
		Expect(endsAt(e.Change(ctx, "ci", ttl("2h")))).To(Equal(2 * time.Hour))
		e.Remove(ctx, "ci")

		e.SetTime(3 * time.Hour)
		limit := e.role(ctx, "limit", maxTTL("1h"))
		e.Events.Take()
		expectConditions(e.Apply(ctx, "ci", using(limit)), "True/Issued", "False/Expired")
		Expect(e.Plaintext(ctx, "ci-api-key")).To(Equal(e.Brought()), "it is not replaced")
		Expect(e.Events.Take()).To(ContainElement(HavePrefix("Normal KeyAdopted")))
	})
})
