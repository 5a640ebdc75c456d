package admission

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/stack"
)

// statusOf grants the operator's rights on a status.
func statusOf(resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: group, Resources: []string{resource + "/status"}, Verbs: []string{"patch"}}
}

// ladder lists Keywright's roles in each of Kubernetes' roles. No controller aggregates them here.
var ladder = map[string][]string{
	"view":  {"keywright-view"},
	"edit":  {"keywright-view", "keywright-edit"},
	"admin": {"keywright-view", "keywright-edit", "keywright-admin"},
}

// isAggregated reports whether the label of a role adds it to this role of Kubernetes.
func isAggregated(role *rbacv1.ClusterRole, kubernetes string) bool {
	return role.Labels["rbac.authorization.k8s.io/aggregate-to-"+kubernetes] == "true"
}

var _ = Describe("The aggregated ClusterRoles", func() {
	It("are labelled for the right roles of Kubernetes", func(ctx SpecContext) {
		for kubernetes, roles := range ladder {
			for _, name := range ladder["admin"] {
				Expect(isAggregated(clusterRole(ctx, name), kubernetes)).
					To(Equal(slices.Contains(roles, name)), "%s in %s", name, kubernetes)
			}
		}
	})

	It("carry the labels that Kubernetes' own roles select", func(ctx SpecContext) {
		for kubernetes := range ladder {
			selectors := clusterRole(ctx, kubernetes).AggregationRule.ClusterRoleSelectors
			Expect(selectors).To(ConsistOf(HaveField("MatchLabels",
				HaveKeyWithValue("rbac.authorization.k8s.io/aggregate-to-"+kubernetes, "true"))))
		}
	})

	It("list resources and verbs, so that none grants use, status or writes of AccessRoles", func(ctx SpecContext) {
		for _, name := range ladder["admin"] {
			for _, rule := range clusterRole(ctx, name).Rules {
				Expect(rule.APIGroups).To(Equal(group))
				Expect(rule.Resources).To(HaveEach(BeElementOf("apikeys", "adminusers", "accessroles",
					"accessrolebindings")), name)
				Expect(rule.Verbs).To(HaveEach(BeElementOf("get", "list", "watch", "create", "update", "patch", "delete",
					"deletecollection")), name)
			}
		}
	})
})

var _ = DescribeTable("A user with this role of Kubernetes in a namespace has these rights:",
	func(ctx SpecContext, kubernetes string, granted map[string][]string) {
		user := newName(ctx, kubernetes)
		for _, role := range ladder[kubernetes] {
			bind(ctx, user, "ClusterRole", role, team)
		}
		for _, role := range ladder[kubernetes] {
			awaitRules(ctx, user, team, clusterRole(ctx, role).Rules)
		}
		for _, resource := range resources {
			for _, verb := range verbs {
				want := slices.Contains(granted[resource], verb)
				Expect(may(ctx, user, verb, resource, team, "")).To(Equal(want), "%s %s", verb, resource)
				Expect(may(ctx, user, verb, resource, other, "")).To(BeFalse(), "%s %s elsewhere", verb, resource)
			}
		}
	},
	Entry(nil, "view", map[string][]string{"apikeys": reading, "adminusers": reading,
		"accessroles": reading, "accessrolebindings": reading}),
	Entry(nil, "edit", map[string][]string{"apikeys": verbs[:8], "adminusers": reading,
		"accessroles": reading, "accessrolebindings": reading}),
	Entry(nil, "admin", map[string][]string{"apikeys": verbs[:8], "adminusers": verbs[:8],
		"accessroles": reading, "accessrolebindings": reading}),
)

var (
	verbs   = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "*"}
	reading = verbs[:3]
	// RBAC treats the parts of a key as resources too.
	resources = []string{
		"apikeys", "adminusers", "accessroles", "accessrolebindings", "apikeys/status", "adminusers/status",
		"apikeys/finalizers", "scopes", "policies", "users", "accounts", "integrations", "*",
	}
)

var _ = Describe("A user with Kubernetes' role admin", func() {
	It("cannot write a digest into the status of another's key", func(ctx SpecContext) {
		createAdmin(ctx, stack.Namespace, "victim", v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "victim") })
		key, victim := made(ctx, rich()), adminUser(stack.Namespace, "victim")
		digest := client.RawPatch(types.MergePatchType, []byte(`{"status":{"keys":[{"id":"0123456789abcdef",`+
			`"digest":"hmac-sha256:p1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","prefix":"ak_012345678"}]}}`))

		who := holder(ctx, "", ladder["admin"]...)
		expectNoRight(who.Status().Patch(ctx, key.DeepCopy(), digest))
		expectNoRight(who.Status().Update(ctx, key.DeepCopy()))
		expectNoRight(who.Status().Patch(ctx, victim, digest))

		// A write of the whole object leaves status unchanged.
		Expect(who.Patch(ctx, key, digest)).To(Succeed())
		Expect(key.Status.Keys).To(BeEmpty())
	})

	It("cannot create a key without use of its parts", func(ctx SpecContext) {
		who := holder(ctx, team, ladder["admin"]...)
		expectRefusal(tryCreate(ctx, who, team, v1alpha1.APIKeySpec{Subject: ci}), noSubject("Account/ci"))
	})

	It("cannot grant themselves a use that they do not hold", func(ctx SpecContext) {
		user := newName(ctx, "admin")
		rolesToo := newClusterRole(ctx, rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"create",
				"update"},
		})
		bind(ctx, user, "ClusterRole", rolesToo, team)
		awaitRules(ctx, user, team, clusterRole(ctx, rolesToo).Rules)
		role := &rbacv1.Role{ObjectMeta: apiKey(team, newName(ctx, "escalation"), v1alpha1.APIKeySpec{}).ObjectMeta,
			Rules: rules{useCI}}
		expectNoRight(as(user).Create(ctx, role))
	})

	It("cannot create an AdminUser without use of the user", func(ctx SpecContext) {
		who := holder(ctx, stack.Namespace, ladder["admin"]...)
		expectRefusal(who.Create(ctx, adminUser(stack.Namespace, "tried"), client.DryRunAll), noUser("create", "tried"))
	})

	It("creates AdminUsers, with use of users, in the system namespace only", func(ctx SpecContext) {
		who := holder(ctx, "", append([]string{newClusterRole(ctx, use("users"))}, ladder["admin"]...)...)
		Expect(who.Create(ctx, adminUser(stack.Namespace, "tried"), client.DryRunAll)).To(Succeed())
		expectRefusal(who.Create(ctx, adminUser(team, "tried"), client.DryRunAll), strayAdmin)
	})
})

const strayAdmin = "AdminUser is honoured in namespace keywright-system only, not in team-a: set " +
	"metadata.namespace to keywright-system"
