package objects_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
)

var _ = Describe("A refused key", func() {
	entry := func(id, reason string) v1alpha1.RefusedKey { return v1alpha1.RefusedKey{ID: id, Reason: reason} }
	read := func(ctx SpecContext, user *v1alpha1.AdminUser) []v1alpha1.RefusedKey {
		GinkgoHelper()
		Expect(plane.Client.Get(ctx, client.ObjectKeyFromObject(user), user)).To(Succeed())
		return user.Status.Usage.Refused
	}

	It("is recorded, changed and removed on exactly this object", func(ctx SpecContext) {
		user, k := made(ctx, "paul")
		id, keyID := verify.ID{Kind: "AdminUser", Namespace: user.Namespace, Name: user.Name}, k.Digest.KeyID()
		Expect(server.SetRefused(ctx, id, "another-uid", keyID, "Leaked")).To(Succeed())
		Expect(read(ctx, user)).To(BeEmpty())
		for _, reason := range []string{"Leaked", "Stolen"} {
			Expect(server.SetRefused(ctx, id, string(user.UID), keyID, reason)).To(Succeed())
			Expect(read(ctx, user)).To(HaveExactElements(entry(keyID, reason)))
		}
		version := user.ResourceVersion
		Expect(server.SetRefused(ctx, id, string(user.UID), keyID, "Stolen")).To(Succeed())
		Expect(server.SetRefused(ctx, id, string(user.UID), "0123456789abcdef", "Leaked")).To(Succeed())
		Expect(read(ctx, user)).To(HaveExactElements(entry(keyID, "Stolen")))
		Expect(user.ResourceVersion).To(Equal(version), "nothing changed")
		Expect(server.SetRefused(ctx, id, string(user.UID), keyID, "")).To(Succeed())
		Expect(read(ctx, user)).To(BeEmpty())
		Expect(user.Status.Keys).To(HaveLen(1))

		Expect(server.SetRefused(ctx, verify.ID{Kind: "(bootstrap)"}, "", keyID, "Leaked")).To(Succeed())
		id.Name = "unknown"
		Expect(server.SetRefused(ctx, id, "uid", keyID, "Leaked")).To(Succeed())
	})

	It("keeps the entries that several servers record at once", func(ctx SpecContext) {
		user, _ := made(ctx, "petra")
		for range 7 {
			Expect(server.Record(ctx, user, generate(), 1<<40)).To(Succeed())
		}
		id := verify.ID{Kind: "AdminUser", Namespace: user.Namespace, Name: user.Name}
		keys := user.Status.Keys
		results := atOnce(len(keys), func(i int) error {
			return server.SetRefused(ctx, id, string(user.UID), keys[i].ID, fmt.Sprint("Reason", i))
		})
		Expect(count(results, nil)).To(Equal(len(keys)))
		var want []v1alpha1.RefusedKey
		for i, k := range keys {
			want = append(want, entry(k.ID, fmt.Sprint("Reason", i)))
		}
		Expect(read(ctx, user)).To(ConsistOf(want))

		Expect(server.Record(ctx, user, generate(), 0)).To(Succeed())
		Expect(server.SetRefused(ctx, id, string(user.UID), user.Status.Keys[0].ID, "Leaked")).To(Succeed())
		Expect(read(ctx, user)).To(HaveExactElements(entry(user.Status.Keys[0].ID, "Leaked")),
			"others are not recorded any more")
	})
})
