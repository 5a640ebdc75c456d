package objects_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/objects"
)

var _ = DescribeTable("Recording a key of",
	func(ctx SpecContext, before, after string, keys int, former verify.Reason) {
		user, _ := made(ctx, "Keeper")
		ids := map[string]string{"the user": user.Status.ID, "a former user": "gone", "no user": ""}
		o, first, next := newKey("ci"), generate(), generate()
		o.Spec.Subject, first.Owner = v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "keeper"}, ids[before]
		Expect(server.Create(ctx, o, first)).To(Succeed())
		removeLater(o)
		next.Owner = ids[after]
		Expect(server.Record(ctx, o, next, time.Hour)).To(Succeed())
		Expect(o.OwnerID()).To(Equal(ids[after]))
		Expect(o.Status.Keys).To(HaveLen(keys))
		Expect(accepted(next)).To(BeTrue())
		Expect(reasonOf(first)).To(Equal(former))
	},
	Entry("the same user keeps the earlier one in its overlap", "the user", "the user", 2, verify.Accepted),
	Entry("no user, as before, keeps it too", "no user", "no user", 2, verify.Accepted),
	Entry("the first AdminUser of the name keeps it too", "no user", "the user", 2, verify.Accepted),
	Entry("the present user ends the one of a former user", "a former user", "the user", 1, verify.Unknown),
	Entry("no user ends the one of a former user", "a former user", "no user", 1, verify.Unknown),
)

func reasonOf(k *objects.Key) verify.Reason { return verifier.Verify(k.Plaintext, time.Now()).Reason }
