package privilege

import (
	"context"
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Read lists all that is granted to a ServiceAccount by name, through whatever binding. What every authenticated user
// may do is none of it.
func Read(ctx context.Context, c client.Reader, namespace, account string) ([]Grant, error) {
	var everywhere rbacv1.ClusterRoleBindingList
	if err := c.List(ctx, &everywhere); err != nil {
		return nil, err
	}
	var somewhere rbacv1.RoleBindingList
	if err := c.List(ctx, &somewhere); err != nil {
		return nil, err
	}
	bindings := somewhere.Items
	for _, b := range everywhere.Items {
		bindings = append(bindings, rbacv1.RoleBinding{Subjects: b.Subjects, RoleRef: b.RoleRef})
	}
	var grants []Grant
	for _, b := range bindings {
		bound := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}
		if !slices.Contains(b.Subjects, bound) {
			continue
		}
		rules, err := rulesOf(ctx, c, b.Namespace, b.RoleRef)
		if err != nil {
			return nil, err
		}
		base := Grant{Account: account, Role: b.RoleRef.Kind + " " + b.RoleRef.Name, Namespace: b.Namespace}
		grants = append(grants, split(base, rules)...)
	}
	if len(grants) == 0 {
		return nil, fmt.Errorf("nothing is granted to ServiceAccount %s/%s", namespace, account)
	}
	return grants, nil
}

func rulesOf(ctx context.Context, c client.Reader, namespace string, ref rbacv1.RoleRef) ([]rbacv1.PolicyRule, error) {
	if ref.Kind == "Role" {
		var role rbacv1.Role
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, &role)
		return role.Rules, err
	}
	var role rbacv1.ClusterRole
	err := c.Get(ctx, client.ObjectKey{Name: ref.Name}, &role)
	return role.Rules, err
}
