package e2e

import (
	"context"
	"net/http"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// bind creates a binding of a role to a user.
func bind(ctx context.Context, name, role, user string, apiKeys v1alpha1.KeyOwnership) *v1alpha1.AccessRoleBinding {
	GinkgoHelper()
	b := &v1alpha1.AccessRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	b.Spec = v1alpha1.AccessRoleBindingSpec{
		RoleRef: v1alpha1.RoleRef{Name: v1alpha1.RoleName(role)}, APIKeys: apiKeys,
		Subjects: []v1alpha1.BoundSubject{{Kind: v1alpha1.BoundUser, Name: v1alpha1.Username(user)}},
	}
	Expect(s.Client.Create(ctx, b)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(client.IgnoreNotFound(s.Client.Delete(ctx, b))).To(Succeed()) })
	return b
}

var _ = Describe("A user without an AdminUser", func() {
	It("holds what bindings give, and owns keys unless all of them deny it", func(ctx SpecContext) {
		// The key may introspect once its owner may.
		k := newAPIKey(ctx, "bound", speaksAs(v1alpha1.SubjectUser, "frieda", "keys.introspect"))
		DeferCleanup(func(ctx SpecContext) { removeAPIKey(ctx, k) })
		plaintext := awaitReady(ctx, k, v1alpha1.ReasonIssued)
		answer := func() int {
			status, _ := introspected(ctx, plaintext, "a-key-that-no-object-records")
			return status
		}
		eventually(ctx, answer, Equal(http.StatusForbidden))

		readers := bind(ctx, "introspectors", "introspector", "frieda", v1alpha1.KeysAllowed)
		role := &v1alpha1.AccessRole{ObjectMeta: metav1.ObjectMeta{Name: "introspector"}}
		role.Spec.Permissions = []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"keys.introspect"}, Resources: []v1alpha1.Resource{"*"},
		}}
		Expect(s.Client.Create(ctx, role)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(s.Client.Delete(ctx, role)).To(Succeed()) })
		eventually(ctx, answer, Equal(http.StatusOK))

		denied := bind(ctx, "visitors", "visitor", "frieda", v1alpha1.KeysDenied)
		Expect(s.Client.Delete(ctx, readers)).To(Succeed())
		eventually(ctx, answer, Equal(http.StatusUnauthorized))
		awaitAPIKey(ctx, k, v1alpha1.ConditionActive, v1alpha1.ReasonOwnerDenied)

		Expect(s.Client.Delete(ctx, denied)).To(Succeed())
		eventually(ctx, answer, Equal(http.StatusForbidden))
		awaitAPIKey(ctx, k, v1alpha1.ConditionActive, v1alpha1.ReasonAccepted)
		Expect(delivered(ctx, "bound-api-key", v1alpha1.SecretKey)).To(Equal(plaintext))
	})
})
