package adminuser_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/adminuser"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/lifecyclesuite"
)

func TestAdminUser(t *testing.T) {
	kit.RunSpecs(t, "AdminUser controller")
}

var suite = &lifecyclesuite.Suite[*v1alpha1.AdminUser]{Kind: lifecyclesuite.Kind[*v1alpha1.AdminUser]{
	Name: "AdminUser",
	New: func(namespace, name string) *v1alpha1.AdminUser {
		return &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	},
	Reconciler: func(c client.Client, i *issuer.Issuer, _ string) lifecyclesuite.Reconciler {
		return &adminuser.Reconciler{Client: c, Issuer: i}
	},
	Indexes: []kit.Index{issuer.IndexSecrets, keyholder.Index, keyholder.IndexUsernames},

	SecretSuffix:  "-admin-key",
	IdentityEntry: v1alpha1.SecretUsername, Identity: "one",
	DefaultOverlap: 0, ShownOverlap: "0s",
	DefaultReissuePolicy: v1alpha1.ReissueNever,
	DisabledMessage:      "spec.state is Disabled: every key of the user is refused until it is Active again.",
	EndedReason:          v1alpha1.ReasonDemoted,
	EndedMessage:         "The role is user: there is no admin key.",

	Secret: func(u *v1alpha1.AdminUser) (*v1alpha1.SecretTemplate, *v1alpha1.ReissuePolicy) {
		if u.Spec.Secret == nil {
			u.Spec.Secret = &v1alpha1.AdminUserSecret{}
		}
		return &u.Spec.Secret.SecretTemplate, &u.Spec.Secret.ReissuePolicy
	},
	Fields: func(u *v1alpha1.AdminUser) lifecyclesuite.Fields {
		return lifecyclesuite.Fields{Rotation: &u.Spec.Rotation, Delivery: &u.Spec.Delivery, State: &u.Spec.State}
	},
	End:     setRole(v1alpha1.RoleUser),
	IsEnded: func(u *v1alpha1.AdminUser) bool { return !u.IsAdmin() },
}}

var _ = BeforeSuite(func(ctx SpecContext) { suite.Start(ctx) }, kit.StartTimeout)

var _ = suite.Run()

func setRole(role v1alpha1.Role) func(*v1alpha1.AdminUser) {
	return func(u *v1alpha1.AdminUser) { u.Spec.Role = role }
}
