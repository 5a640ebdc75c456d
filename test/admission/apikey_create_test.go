package admission

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// ci is the subject of most keys of this suite.
var (
	ci    = v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "ci"}
	useCI = use("accounts", "ci")
)

// policy returns a policy with one permission.
func policy(effect v1alpha1.Effect, action v1alpha1.Action) *v1alpha1.Policy {
	return &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
		Effect: effect, Actions: []v1alpha1.Action{action}, Resources: []v1alpha1.Resource{"*"},
	}}}
}

func apiKey(namespace, name string, spec v1alpha1.APIKeySpec) *v1alpha1.APIKey {
	return &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}
}

// tryCreate creates an APIKey in a dry run.
func tryCreate(ctx context.Context, c client.Client, namespace string, spec v1alpha1.APIKeySpec) error {
	return c.Create(ctx, apiKey(namespace, "tried", spec), client.DryRunAll)
}

// The messages of the policies.
func noScope(scope string) string {
	return fmt.Sprintf("may not use scope %q: needs verb use on scopes.keywright.dev %q in namespace team-a", scope, scope)
}

func noRole(role string) string {
	return fmt.Sprintf("may not use role %q: needs verb use on accessroles.keywright.dev %q in namespace team-a", role,
		role)
}

func keepsRole(role string) string {
	return fmt.Sprintf("may not take away role %q, which may deny: needs verb use on accessroles.keywright.dev %q "+
		"in namespace team-a", role, role)
}

// noSubject is the refusal of a user who may not make keys for a subject such as Account/ci.
func noSubject(subject string) string { return noWidening("make", subject) }

// noWidening is the refusal of a user who may not do this to a key of a subject such as Account/ci.
func noWidening(do, subject string) string {
	kind, name, _ := strings.Cut(subject, "/")
	return fmt.Sprintf("may not %s a key that speaks as %s: needs verb use on %ss.keywright.dev %q in namespace team-a",
		do, subject, strings.ToLower(kind), name)
}

const (
	noPolicy    = "may not write spec.policy: needs verb use on policies.keywright.dev in namespace team-a"
	keepsPolicy = "may not take away spec.policy, which denies: needs verb use on policies.keywright.dev in " +
		"namespace team-a"
)

type rules = []rbacv1.PolicyRule

var _ = DescribeTable("Creating an APIKey",
	func(ctx SpecContext, held rules, spec v1alpha1.APIKeySpec, want string) {
		who := person(ctx, team, append(rules{editing}, held...)...)
		expectRefusal(tryCreate(ctx, who, team, spec), want)
	},
	Entry("without rights needs use of the subject only", rules{useCI}, v1alpha1.APIKeySpec{Subject: ci}, ""),

	Entry("needs use of the subject", rules{}, v1alpha1.APIKeySpec{Subject: ci}, noSubject("Account/ci")),
	Entry("needs use of exactly this subject", rules{use("accounts", "ci")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: "cd"}}, noSubject("Account/cd")),
	Entry("needs use of this kind of subject", rules{use("users", "alice")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration,
			Name: "alice"}}, noSubject("Integration/alice")),
	Entry("needs use of the subject in this case", rules{use("users", "alice")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "Alice"}}, noSubject("User/Alice")),
	Entry("for a user", rules{use("users", "alice")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}}, ""),
	Entry("for an integration", rules{use("integrations", "github-1")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectIntegration, Name: "github-1"}}, ""),
	Entry("for any user, if use has no names", rules{use("users")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}}, ""),
	Entry("for no user, if use covers any account and integration", rules{use("accounts"), use("integrations")},
		v1alpha1.APIKeySpec{Subject: v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}}, noSubject("User/alice")),

	Entry("with a scope", rules{useCI, use("scopes", "certs.read")},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}}, ""),
	Entry("with a scope but no use of scopes", rules{useCI},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}}, noScope("certs.read")),
	Entry("with a scope too many", rules{useCI, use("scopes", "certs.read")},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read", "certs.write"}}, noScope("certs.write")),
	Entry("with a scope too many, first", rules{useCI, use("scopes", "certs.read")},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.write", "certs.read"}}, noScope("certs.write")),
	Entry("with a scope but use of a role of that name", rules{useCI, use("accessroles", "certs.read")},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}}, noScope("certs.read")),

	Entry("with a role", rules{useCI, use("accessroles", "reader")},
		v1alpha1.APIKeySpec{Subject: ci, Roles: []v1alpha1.RoleName{"reader"}}, ""),
	Entry("with a role too many", rules{useCI, use("accessroles", "reader")},
		v1alpha1.APIKeySpec{Subject: ci, Roles: []v1alpha1.RoleName{"reader", "writer"}}, noRole("writer")),
	Entry("with a role that the user may read but not use",
		rules{useCI, {APIGroups: group, Resources: []string{"accessroles"}, Verbs: []string{"get", "list", "update"}}},
		v1alpha1.APIKeySpec{Subject: ci, Roles: []v1alpha1.RoleName{"reader"}}, noRole("reader")),

	Entry("with a policy", rules{useCI, use("policies")},
		v1alpha1.APIKeySpec{Subject: ci, Policy: policy(v1alpha1.EffectAllow, "certs.read")}, ""),
	Entry("with a policy but no use of policies", rules{useCI, use("scopes"), use("accessroles")},
		v1alpha1.APIKeySpec{Subject: ci, Policy: policy(v1alpha1.EffectAllow, "certs.read")}, noPolicy),
	Entry("with a policy but use of a named one, for a policy has no name", rules{useCI, use("policies", "tried")},
		v1alpha1.APIKeySpec{Subject: ci, Policy: policy(v1alpha1.EffectAllow, "certs.read")}, noPolicy),
	Entry("with a policy that only denies", rules{useCI},
		v1alpha1.APIKeySpec{Subject: ci, Policy: policy(v1alpha1.EffectDeny, "certs.read")}, noPolicy),

	Entry("by a user with every verb on APIKeys", rules{keys("*"), useCI},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}}, noScope("certs.read")),
	Entry("by a user with every verb on every resource of Keywright",
		rules{{APIGroups: group, Resources: []string{"*"}, Verbs: []string{"*"}}},
		v1alpha1.APIKeySpec{Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}, Roles: []v1alpha1.RoleName{"r"},
			Policy: policy(v1alpha1.EffectAllow, "*")}, ""),
)

var _ = Describe("Use of the parts of a key", func() {
	spec := v1alpha1.APIKeySpec{
		Subject: ci, Scopes: []v1alpha1.Scope{"certs.read"}, Roles: []v1alpha1.RoleName{"reader"},
		Policy: policy(v1alpha1.EffectAllow, "certs.read"),
	}
	all := rules{editing, use("accounts", "ci"), use("scopes", "certs.read"), use("accessroles", "reader"),
		use("policies")}

	It("is granted in one namespace by a Role", func(ctx SpecContext) {
		who := person(ctx, team, all...)
		expectRefusal(tryCreate(ctx, who, team, spec), "")
		expectNoRight(tryCreate(ctx, who, other, spec))
	})

	It("counts in the namespace of the key only", func(ctx SpecContext) {
		user := newName(ctx, "tenant")
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, all...), other)
		bind(ctx, user, "ClusterRole", newClusterRole(ctx, editing, useCI), team)
		awaitRules(ctx, user, other, all)
		awaitRules(ctx, user, team, rules{editing, useCI})
		expectRefusal(tryCreate(ctx, as(user), other, spec), "")
		Expect(refusal(tryCreate(ctx, as(user), team, spec))).
			To(BeElementOf(noScope("certs.read"), noRole("reader"), noPolicy))
	})

	It("is granted in one namespace by a ClusterRole bound there", func(ctx SpecContext) {
		who := holder(ctx, team, newClusterRole(ctx, all...))
		expectRefusal(tryCreate(ctx, who, team, spec), "")
		expectNoRight(tryCreate(ctx, who, other, spec))
	})

	It("is granted everywhere by a ClusterRole bound everywhere", func(ctx SpecContext) {
		who := holder(ctx, "", newClusterRole(ctx, all...))
		expectRefusal(tryCreate(ctx, who, team, spec), "")
		expectRefusal(tryCreate(ctx, who, other, spec), "")
	})

	It("is needed with a generated name and in an apply too", func(ctx SpecContext) {
		who := person(ctx, team, editing, useCI)
		generated := apiKey(team, "", v1alpha1.APIKeySpec{Subject: ci, Scopes: spec.Scopes})
		generated.GenerateName = "tried-"
		expectRefusal(who.Create(ctx, generated, client.DryRunAll), noScope("certs.read"))

		applied := []byte(`{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","metadata":{"name":"applied","namespace":"team-a"},` +
			`"spec":{"subject":{"kind":"Account","name":"ci"},"scopes":["certs.read"]}}`)
		patch := client.RawPatch(types.ApplyPatchType, applied)
		err := who.Patch(ctx, apiKey(team, "applied", v1alpha1.APIKeySpec{}), patch, client.FieldOwner("alice"),
			client.DryRunAll)
		expectRefusal(err, noScope("certs.read"))
	})
})
