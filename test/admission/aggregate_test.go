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

// statusOf grants what the operator holds on a status.
func statusOf(resource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: group, Resources: []string{resource + "/status"}, Verbs: []string{"patch"}}
}

// ladder is what somebody has with Kubernetes' role of that name. No controller aggregates here, so it is said.
var ladder = map[string][]string{
	"view":  {"keywright-view"},
	"edit":  {"keywright-view", "keywright-edit"},
	"admin": {"keywright-view", "keywright-edit", "keywright-admin"},
}

// takesIn is whether Kubernetes' role of that name takes in this one, by its label.
func takesIn(role *rbacv1.ClusterRole, kubernetes string) bool {
	return role.Labels["rbac.authorization.k8s.io/aggregate-to-"+kubernetes] == "true"
}

var _ = Describe("The aggregated ClusterRoles", func() {
	It("go to whom they are meant for, by their labels", func(ctx SpecContext) {
		for kubernetes, roles := range ladder {
			for _, name := range ladder["admin"] {
				Expect(takesIn(clusterRole(ctx, name), kubernetes)).To(Equal(slices.Contains(roles, name)), "%s in %s", name, kubernetes)
			}
		}
	})

	It("are what Kubernetes' own roles select", func(ctx SpecContext) {
		for kubernetes := range ladder {
			selectors := clusterRole(ctx, kubernetes).AggregationRule.ClusterRoleSelectors
			Expect(selectors).To(ConsistOf(HaveField("MatchLabels", HaveKeyWithValue("rbac.authorization.k8s.io/aggregate-to-"+kubernetes, "true"))))
		}
	})

	It("list resources and verbs, so that use, status and writes of AccessRoles are in none", func(ctx SpecContext) {
		for _, name := range ladder["admin"] {
			for _, rule := range clusterRole(ctx, name).Rules {
				Expect(rule.APIGroups).To(Equal(group))
				Expect(rule.Resources).To(HaveEach(BeElementOf("apikeys", "adminusers", "accessroles")), name)
				Expect(rule.Verbs).To(HaveEach(BeElementOf("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")), name)
			}
		}
	})
})

// Who may do what, with Kubernetes' role of that name in a namespace.
var _ = DescribeTable("Somebody with Kubernetes' role",
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
	Entry(nil, "view", map[string][]string{"apikeys": reading, "adminusers": reading, "accessroles": reading}),
	Entry(nil, "edit", map[string][]string{"apikeys": verbs[:8], "adminusers": reading, "accessroles": reading}),
	Entry(nil, "admin", map[string][]string{"apikeys": verbs[:8], "adminusers": verbs[:8], "accessroles": reading}),
)

var (
	verbs   = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "use", "*"}
	reading = verbs[:3]
	// What a key is made of are resources too, to RBAC.
	resources = []string{
		"apikeys", "adminusers", "accessroles", "apikeys/status", "adminusers/status", "apikeys/finalizers",
		"scopes", "policies", "subjects", "*",
	}
)

var _ = Describe("Somebody with Kubernetes' role admin", func() {
	It("can't make a digest of their own accepted as somebody else's key", func(ctx SpecContext) {
		createAdmin(ctx, stack.Namespace, "victim", v1alpha1.AdminUserSpec{})
		DeferCleanup(func(ctx SpecContext) { deleteAdmin(ctx, stack.Namespace, "victim") })
		key, victim := made(ctx, rich()), adminUser(stack.Namespace, "victim")
		digest := client.RawPatch(types.MergePatchType, []byte(`{"status":{"keys":[{"id":"0123456789abcdef",`+
			`"digest":"hmac-sha256:p1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","prefix":"ak_012345678"}]}}`))

		who := holder(ctx, "", ladder["admin"]...)
		expectNoRight(who.Status().Patch(ctx, key.DeepCopy(), digest))
		expectNoRight(who.Status().Update(ctx, key.DeepCopy()))
		expectNoRight(who.Status().Patch(ctx, victim, digest))

		// By the way around, a write of the whole object, nothing of the status arrives.
		Expect(who.Patch(ctx, key, digest)).To(Succeed())
		Expect(key.Status.Keys).To(BeEmpty())
	})

	It("makes no key without use of what it is made of", func(ctx SpecContext) {
		who := holder(ctx, team, ladder["admin"]...)
		expectRefusal(tryCreate(ctx, who, team, v1alpha1.APIKeySpec{Subject: ci}), noSubject("Account:ci"))
	})

	It("can't grant themselves a use they do not hold", func(ctx SpecContext) {
		user := newName(ctx, "admin")
		rolesToo := newClusterRole(ctx, rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"roles", "rolebindings"}, Verbs: []string{"create", "update"},
		})
		bind(ctx, user, "ClusterRole", rolesToo, team)
		awaitRules(ctx, user, team, clusterRole(ctx, rolesToo).Rules)
		role := &rbacv1.Role{ObjectMeta: apiKey(team, newName(ctx, "wish"), v1alpha1.APIKeySpec{}).ObjectMeta, Rules: rules{useCI}}
		expectNoRight(as(user).Create(ctx, role))
	})

	It("makes AdminUsers in the system namespace and nowhere else", func(ctx SpecContext) {
		who := holder(ctx, "", ladder["admin"]...)
		Expect(who.Create(ctx, adminUser(stack.Namespace, "tried"), client.DryRunAll)).To(Succeed())
		expectRefusal(who.Create(ctx, adminUser(team, "tried"), client.DryRunAll), strayAdmin)
	})
})

const strayAdmin = "AdminUser is honoured in namespace keywright-system only, not in team-a: set metadata.namespace to keywright-system"
