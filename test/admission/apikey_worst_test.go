package admission

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	rbacv1 "k8s.io/api/rbac/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// The limits of the CRD.
const (
	maxScopes = 16
	maxRoles  = 8

	maxBudgets = 4
)

func scopeNames() (names []string) {
	for i := range maxScopes {
		names = append(names, fmt.Sprintf("area%d.write", i))
	}
	return names
}

// roleNames returns role names with this prefix.
func roleNames(prefix string) (names []string) {
	for i := range maxRoles {
		names = append(names, fmt.Sprintf("%s-%d", prefix, i))
	}
	return names
}

func without(names []string, i int) []string {
	return slices.Delete(slices.Clone(names), i, i+1)
}

func typed[T ~string](names []string) (all []T) {
	for _, name := range names {
		all = append(all, T(name))
	}
	return all
}

// fullest returns the spec that needs the most checks: every scope and role that the CRD allows, and a policy.
func fullest(roles []string) v1alpha1.APIKeySpec {
	return v1alpha1.APIKeySpec{
		Subject: ci, Scopes: typed[v1alpha1.Scope](scopeNames()), Roles: typed[v1alpha1.RoleName](roles),
		Policy: policy(v1alpha1.EffectAllow, "*"), Budgets: fullestBudgets(),
	}
}

// fullestBudgets returns the budgets with the most to compare.
func fullestBudgets() (all []v1alpha1.Budget) {
	for i := range maxBudgets {
		all = append(all, v1alpha1.Budget{
			Name: fmt.Sprint("budget-", i), USD: "999999999.999999999", Period: v1alpha1.BudgetMonth,
		})
	}
	return all
}

// fullestSecret returns the Secret with the most to compare.
func fullestSecret() *v1alpha1.APIKeySecret {
	secret := &v1alpha1.APIKeySecret{StringData: map[string]v1alpha1.EntryValue{}}
	secret.Labels, secret.Annotations = map[string]v1alpha1.LabelValue{}, map[string]v1alpha1.AnnotationValue{}
	for i := range 16 {
		secret.StringData[fmt.Sprint("entry", i)] = v1alpha1.EntryValue(strings.Repeat("x", 4096))
	}
	for i := range 32 {
		secret.Labels[fmt.Sprint("label", i)] = v1alpha1.LabelValue(strings.Repeat("x", 63))
		secret.Annotations[fmt.Sprint("annotation", i)] = v1alpha1.AnnotationValue(strings.Repeat("x", 4096))
	}
	return secret
}

// Each check of the policies is tried alone.
var _ = Describe("The largest APIKey", func() {
	scopes, roles := scopeNames(), roleNames("new")
	held := func(scopes, roles []string, more ...rbacv1.PolicyRule) rules {
		return append(rules{editing, use("scopes", scopes...), use("accessroles", roles...)}, more...)
	}

	It("is created by a user who may use all of it", func(ctx SpecContext) {
		who := person(ctx, team, held(scopes, roles, useCI, use("policies"))...)
		expectRefusal(tryCreate(ctx, who, team, fullest(roles)), "")
	})

	It("is not created by a user without use of the subject, or of policies", func(ctx SpecContext) {
		expectRefusal(tryCreate(ctx, person(ctx, team, held(scopes, roles, use("policies"))...), team, fullest(roles)),
			noSubject("Account/ci"))
		expectRefusal(tryCreate(ctx, person(ctx, team, held(scopes, roles, useCI)...), team, fullest(roles)), noPolicy)
	})

	for i, scope := range scopes {
		It("is not created by a user without use of scope "+scope, func(ctx SpecContext) {
			who := person(ctx, team, held(without(scopes, i), roles, useCI, use("policies"))...)
			expectRefusal(tryCreate(ctx, who, team, fullest(roles)), noScope(scope))
		})
	}

	for i, role := range roles {
		It("is not created by a user without use of role "+role, func(ctx SpecContext) {
			who := person(ctx, team, held(scopes, without(roles, i), useCI, use("policies"))...)
			expectRefusal(tryCreate(ctx, who, team, fullest(roles)), noRole(role))
		})
	}
})

var _ = Describe("The largest update", func() {
	scopes, before, after := scopeNames(), roleNames("before"), roleNames("after")
	const patch = `{"spec":{"scopes":["area0.write","area1.write","area2.write","area3.write","area4.write",` +
		`"area5.write","area6.write","area7.write","area8.write","area9.write","area10.write","area11.write",` +
		`"area12.write","area13.write","area14.write","area15.write"],"ttl":null,"state":"Active",` +
		`"roles":["after-0","after-1","after-2","after-3","after-4","after-5","after-6","after-7"],` +
		`"budgets":[{"name":"a","usd":"999999999.999999999","period":"Day"},{"name":"b","tokens":1,"period":"Month"},` +
		`{"name":"c","usd":"999999999.999999999","period":"Month","action":"Warn"},` +
		`{"name":"d","usd":"999999999.99999999","period":"Hour"}],"secret":{"dataKey":"token"},"policy":{"permissions":[` + allow + `]}}}`
	bare := v1alpha1.APIKeySpec{Subject: ci, Roles: typed[v1alpha1.RoleName](before),
		Policy: policy(v1alpha1.EffectDeny, "*"), TTL: new(v1alpha1.Duration("24h")), State: v1alpha1.StateDisabled,
		Secret: fullestSecret(), Budgets: fullestBudgets()}
	held := func(roles []string, more ...rbacv1.PolicyRule) rules {
		return append(rules{editing, use("scopes", scopes...), use("accessroles", roles...), use("policies")}, more...)
	}

	It("is made by a user who may use all of it", func(ctx SpecContext) {
		who := person(ctx, team, held(slices.Concat(before, after), useCI)...)
		expectRefusal(merge(ctx, who, made(ctx, bare), patch), "")
	})

	It("is not made by a user without use of the subject", func(ctx SpecContext) {
		who := person(ctx, team, held(slices.Concat(before, after))...)
		expectRefusal(merge(ctx, who, made(ctx, bare), patch),
			noWidening("prolong and enable and raise or remove a budget of and change spec.secret of", "Account/ci"))
	})

	for i, role := range before {
		It("is not made by a user without use of removed role "+role, func(ctx SpecContext) {
			who := person(ctx, team, held(slices.Concat(without(before, i), after), useCI)...)
			expectRefusal(merge(ctx, who, made(ctx, bare), patch), keepsRole(role))
		})
	}

	for i, role := range after {
		It("is not made by a user without use of added role "+role, func(ctx SpecContext) {
			who := person(ctx, team, held(slices.Concat(before, without(after, i)), useCI)...)
			expectRefusal(merge(ctx, who, made(ctx, bare), patch), noRole(role))
		})
	}
})
