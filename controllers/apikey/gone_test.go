package apikey_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

const ownerGone = "False/OwnerGone"

// active creates an AdminUser.
func (e *env) active(ctx context.Context, username string) *v1alpha1.AdminUser {
	GinkgoHelper()
	return adminUser(ctx, e.System, username, v1alpha1.StateActive)
}

// remove deletes an AdminUser and reconciles an APIKey.
func (e *env) remove(ctx context.Context, user *v1alpha1.AdminUser, key string) *v1alpha1.APIKey {
	GinkgoHelper()
	Expect(suite.Cached.Delete(ctx, user)).To(Succeed())
	e.Reconcile(ctx, key)
	return e.Get(ctx, key)
}

// identify writes the id of an AdminUser's user, as a restore does.
func identify(ctx context.Context, user *v1alpha1.AdminUser, id string) {
	GinkgoHelper()
	user.Status.ID = id
	Expect(suite.Cached.Status().Update(ctx, user)).To(Succeed())
}

var _ = Describe("A key of a user with an AdminUser", func() {
	It("belongs to that user from its first issue on", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		k := e.Apply(ctx, "ci", speakingAs("Carol"))
		expectConditions(k, "True/Issued", "True/Accepted")
		want := &v1alpha1.KeyOwner{ID: string(user.UID), BoundAt: metav1.NewTime(begin)}
		Expect(k.Status.Owner.ID).To(Equal(want.ID))
		Expect(k.Status.Owner.BoundAt.Time).To(BeTemporally("==", begin))
		e.SetTime(time.Hour)
		again := e.Change(ctx, "ci", rotate("1"))
		Expect(again.Status.Owner).To(Equal(k.Status.Owner), "a rotation leaves it")
	})

	It("belongs to the user as soon as there is one, with the id in its status", func(ctx SpecContext) {
		e := newEnv(ctx)
		k := e.Apply(ctx, "ci", speakingAs("carol"))
		Expect(k.Status.Owner).To(BeNil())
		user := e.active(ctx, "carol")
		identify(ctx, user, "an-older-id")
		e.Reconcile(ctx, "ci")
		k = e.Get(ctx, "ci")
		Expect(k.Status.Owner.ID).To(Equal("an-older-id"))
		expectConditions(k, "True/Issued", "True/Accepted")
	})

	It("has no owner if the subject is not a user", func(ctx SpecContext) {
		e := newEnv(ctx)
		e.active(ctx, "ci")
		Expect(e.Apply(ctx, "ci").Status.Owner).To(BeNil())
	})
})

var _ = Describe("A key whose user is gone", func() {
	const gone = `The AdminUser of "carol" that this key belongs to was deleted, so the key is refused, even if the name is ` +
		"in use again. For a new key of the present user, "

	It("is refused, and Stalled after a minute, with one event", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		before := e.Apply(ctx, "ci", speakingAs("carol"))
		e.Events.Take()
		k := e.remove(ctx, user, "ci")
		expectConditions(k, ownerGone, ownerGone)
		Expect(condition(k, "Reconciling")).To(Equal("True/OwnerGone"))
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		Expect(e.Events.Take()).To(BeEmpty())
		k = e.PassGrace(ctx, "ci")
		const want = gone + "set annotation keywright.dev/rotate, which needs verb use on the user."
		Expect(condition(k, "Stalled")).To(Equal("True/OwnerGone"))
		Expect(message(k, "Active")).To(Equal(want))
		Expect(e.Events.Take()).To(ConsistOf("Warning OwnerGone " + want))
	})

	It("stays refused when the name is in use again, and for a user whose AdminUser is disabled", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		e.Apply(ctx, "ci", speakingAs("carol"))
		e.remove(ctx, user, "ci")
		next := e.active(ctx, "carol")
		e.Reconcile(ctx, "ci")
		k := e.Get(ctx, "ci")
		expectConditions(k, ownerGone, ownerGone)
		Expect(k.Status.Owner.ID).To(Equal(string(user.UID)))
		next.Spec.State = v1alpha1.StateDisabled
		Expect(suite.Cached.Update(ctx, next)).To(Succeed())
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), ownerGone, ownerGone)
	})

	It("works again when the AdminUser comes back with its id", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		e.Apply(ctx, "ci", speakingAs("carol"))
		plaintext := e.Plaintext(ctx, "ci-api-key")
		e.remove(ctx, user, "ci")
		identify(ctx, e.active(ctx, "carol"), string(user.UID))
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), "True/Issued", "True/Accepted")
		Expect(e.Plaintext(ctx, "ci-api-key")).To(Equal(plaintext))
	})

	It("is refused while the AdminUser is being deleted, unless it may be kept as the last admin", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		e.Apply(ctx, "ci", speakingAs("carol"))
		finalizers := func(names ...string) {
			user.Finalizers = names
			Expect(suite.Cached.Update(ctx, user)).To(Succeed())
		}
		finalizers(v1alpha1.FinalizerLastAdmin, v1alpha1.FinalizerKeepSecret)
		expectConditions(e.remove(ctx, user, "ci"), "True/Issued", "True/Accepted")
		Expect(suite.Plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		finalizers(v1alpha1.FinalizerKeepSecret)
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), ownerGone, ownerGone)
		finalizers()
	})

	// Only a person's request leads to a new key.
	DescribeTable("gets no new key", func(ctx SpecContext, first, then func(*v1alpha1.APIKey), later time.Duration) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		before := e.Apply(ctx, "ci", speakingAs("carol"), first)
		e.remove(ctx, user, "ci")
		e.active(ctx, "carol")
		e.Edit(ctx, "ci", then)
		k := e.At(ctx, later, "ci")
		expectConditions(k, ownerGone, ownerGone)
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		Expect(k.Status.Owner).To(Equal(before.Status.Owner))
	},
		Entry("by a schedule", every("1h"), keep, 2*time.Hour),
		Entry("by rotation.after", keep, after(time.Hour), 2*time.Hour),
		Entry("by another name of the Secret", keep, withSecret(func(s *v1alpha1.APIKeySecret) { s.Name = "other" }),
			time.Minute),
		Entry("by being enabled", inState(v1alpha1.StateDisabled), inState(v1alpha1.StateActive), time.Minute),
		Entry("by a request for a key that the API delivers", byAPI, rotate("now"), time.Minute),
	)

	It("gets no new key because its Secret is lost", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		e.Apply(ctx, "ci", speakingAs("carol"))
		e.remove(ctx, user, "ci")
		e.DeleteSecret(ctx, "ci-api-key")
		e.Reconcile(ctx, "ci")
		expectConditions(e.Get(ctx, "ci"), ownerGone, ownerGone)
		e.NoSecret(ctx, "ci-api-key")
	})

	It("gets no new key by a request from before the status showed it", func(ctx SpecContext) {
		e := newEnv(ctx)
		user := e.active(ctx, "carol")
		before := e.Apply(ctx, "ci", speakingAs("carol"))
		e.Edit(ctx, "ci", rotate("too early"))
		e.Events.Take()
		k := e.remove(ctx, user, "ci")
		expectConditions(k, ownerGone, ownerGone)
		Expect(k.Status.Keys).To(Equal(before.Status.Keys))
		Expect(k.Status.LastRotateRequest).To(Equal("too early"))
		Expect(e.Events.Take()).To(ConsistOf("Warning RotationRefused The key belongs to a user who is gone: request the " +
			"rotation for the present user, with another value"))
	})

	for name, present := range map[string]bool{"the present user": true, "a user without an AdminUser": false} {
		It("is replaced by one of "+name+" on request", func(ctx SpecContext) {
			e := newEnv(ctx)
			user := e.active(ctx, "carol")
			before := e.Apply(ctx, "ci", speakingAs("carol"), overlap("1h"))
			old := e.Plaintext(ctx, "ci-api-key")
			e.remove(ctx, user, "ci")
			var owner *v1alpha1.KeyOwner
			e.SetTime(time.Minute)
			if present {
				owner = &v1alpha1.KeyOwner{ID: string(e.active(ctx, "carol").UID), BoundAt: metav1.NewTime(e.Clock.Now())}
			}
			e.Events.Take()
			k := e.Change(ctx, "ci", rotate("now"))
			expectConditions(k, "True/Issued", "True/Accepted")
			if present {
				Expect(k.Status.Owner.ID).To(Equal(owner.ID))
				Expect(k.Status.Owner.BoundAt.Time).To(BeTemporally("==", owner.BoundAt.Time))
			} else {
				Expect(k.Status.Owner).To(BeNil())
			}
			Expect(k.Status.Keys).To(HaveLen(1), "the old key gets no overlap")
			Expect(e.Accepted(ctx, "ci", old)).To(BeFalse())
			Expect(e.Plaintext(ctx, "ci-api-key")).NotTo(Equal(old))
			id := before.Status.Keys[0].ID
			Expect(e.Events.Take()).To(ConsistOf(
				"Normal OwnerChanged A rotation was requested for the present user: ended key "+id+" of a user who is gone",
				HavePrefix("Normal KeyIssued Issued: key "+k.Status.Keys[0].ID),
			))
		})
	}
})

func keep(*v1alpha1.APIKey) {}

// after asks for a rotation this long after begin.
func after(since time.Duration) func(*v1alpha1.APIKey) {
	return func(k *v1alpha1.APIKey) {
		k.Spec.Rotation = &v1alpha1.Rotation{After: &metav1.Time{Time: begin.Add(since)}}
	}
}
