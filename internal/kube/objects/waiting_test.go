package objects_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/stack"
)

var _ = Describe("An object that waits for its first key", func() {
	until := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

	// waiting returns objects of both kinds that wait.
	waiting := func(ctx SpecContext, name string) []objects.Object {
		GinkgoHelper()
		all := []objects.Object{newUser(name), newKey(name)}
		for _, o := range all {
			Expect(server.CreateWaiting(ctx, o, until)).To(Succeed())
			removeLater(o)
			Expect(o.HolderStatus().Keys).To(BeEmpty())
			Expect(o.GetAnnotations()).To(Equal(map[string]string{v1alpha1.AnnotationClaimUntil: "2030-01-01T00:00:00Z"}))
			Expect(objects.FromManifest(o)).To(BeFalse())
		}
		return all
	}
	named := func(o objects.Object) (id verify.ID, uid string) {
		return verify.ID{Kind: keyholder.KindOf(o), Namespace: stack.Namespace, Name: o.GetName()}, string(o.GetUID())
	}

	It("gets a key, and another in its place as long as it waits", func(ctx SpecContext) {
		for _, o := range waiting(ctx, "wanda") {
			id, uid := named(o)
			first, second := generate(), generate()
			Expect(server.IssueWaiting(ctx, o, first)).To(Succeed())
			Expect(accepted(first)).To(BeTrue())
			touch(ctx, o)
			Expect(server.IssueWaiting(ctx, o, second)).To(Succeed())
			Expect(accepted(first)).To(BeFalse())
			Expect(accepted(second)).To(BeTrue())
			Expect(server.StopWaiting(ctx, id, "another")).To(Succeed())
			Expect(server.StopWaiting(ctx, id, uid)).To(Succeed())
			Expect(server.StopWaiting(ctx, id, uid)).To(Succeed())
			Expect(server.IssueWaiting(ctx, o, generate())).To(MatchError(objects.ErrNotWaiting))
			Expect(server.DeleteWaiting(ctx, id, uid)).To(BeNil())
			Expect(accepted(second)).To(BeTrue())
		}
	})

	It("waits no more once a key is recorded in another way", func(ctx SpecContext) {
		for _, o := range waiting(ctx, "wilma") {
			id, uid := named(o)
			stale := o.DeepCopyObject().(objects.Object)
			shown := generate()
			Expect(server.Record(ctx, o, shown, time.Hour)).To(Succeed())
			Expect(o.GetAnnotations()).To(BeEmpty())
			Expect(server.IssueWaiting(ctx, stale, generate())).To(MatchError(objects.ErrNotWaiting))
			Expect(server.DeleteWaiting(ctx, id, uid)).To(BeNil())
			Expect(accepted(shown)).To(BeTrue())
		}
	})

	It("is deleted with a key that was not shown", func(ctx SpecContext) {
		for _, o := range waiting(ctx, "wally") {
			id, uid := named(o)
			unseen := generate()
			Expect(server.IssueWaiting(ctx, o, unseen)).To(Succeed())
			Expect(server.DeleteWaiting(ctx, id, "another")).To(BeNil())
			deleted, err := server.DeleteWaiting(ctx, id, uid)
			Expect(err).NotTo(HaveOccurred())
			Expect(deleted.GetUID()).To(Equal(o.GetUID()))
			Expect(accepted(unseen)).To(BeFalse())
			Expect(client.IgnoreNotFound(plane.Client.Get(ctx, client.ObjectKeyFromObject(o), o))).To(Succeed())
			Expect(server.DeleteWaiting(ctx, id, uid)).To(BeNil())
			Expect(server.IssueWaiting(ctx, o, generate())).To(MatchError(objects.ErrGone))
		}
	})
})
