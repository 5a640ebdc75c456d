package kit

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

// Grant is the smallest part of an RBAC rule: one verb on one resource. Suites compare the grants of a ServiceAccount
// with the requests that it made, as the API server's audit log records them.
type Grant struct {
	// Account is the ServiceAccount, Role the role that contains the rule.
	Account, Role string
	// Namespace is where the grant applies. Empty: everywhere.
	Namespace string
	// Group and Resource name the resource. A subresource follows a slash.
	Group, Resource, Verb string
	// Names are the objects that the grant is limited to. Empty: all.
	Names []string
}

func (g Grant) String() string {
	where := "everywhere"
	if g.Namespace != "" {
		where = "in " + g.Namespace
	}
	return fmt.Sprintf("%s: %s %s.%s %q %s, by %s", g.Account, g.Verb, g.Resource, g.Group, g.Names, where, g.Role)
}

// allows reports whether the grant alone allows a request.
func (g Grant) allows(r stack.Request) bool {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return g.Account == r.Account && covers(g.Group, r.Group) && covers(g.Resource, resource) && covers(g.Verb, r.Verb) &&
		(g.Namespace == "" || g.Namespace == r.Namespace || r.Resource == "namespaces" && g.Namespace == r.Name) &&
		(len(g.Names) == 0 || slices.Contains(g.Names, r.Name))
}

func covers(granted, requested string) bool {
	return granted == requested || granted == rbacv1.VerbAll
}

// UnneededGrants returns the grants without which every request would still be allowed: those that no request used, and
// those that repeat another.
func UnneededGrants(grants []Grant, requests []stack.Request) []Grant {
	needed := make([]bool, len(grants))
	for _, r := range distinct(requests) {
		if only := soleGrant(grants, r); only >= 0 {
			needed[only] = true
		}
	}
	var unneeded []Grant
	for i, g := range grants {
		if !needed[i] {
			unneeded = append(unneeded, g)
		}
	}
	return unneeded
}

// soleGrant returns the index of the one grant that allows a request, or -1 if none or several do.
func soleGrant(grants []Grant, r stack.Request) int {
	sole := -1
	for i := range grants {
		switch {
		case !grants[i].allows(r):
		case sole >= 0:
			return -1
		default:
			sole = i
		}
	}
	return sole
}

// distinct returns each request once. A server-side apply that created an object was authorized as a create too.
func distinct(requests []stack.Request) []stack.Request {
	seen := map[stack.Request]bool{}
	var found []stack.Request
	add := func(r stack.Request) {
		if !seen[r] {
			seen[r] = true
			found = append(found, r)
		}
	}
	for _, r := range requests {
		created := r.Code == http.StatusCreated
		r.Code = 0
		add(r)
		if created && r.Verb == "patch" {
			r.Verb = "create"
			add(r)
		}
	}
	return found
}

// RefusedRequests returns the requests that the API server forbade.
func RefusedRequests(requests []stack.Request) []stack.Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r stack.Request) bool {
		return r.Code != http.StatusForbidden
	})
}

// ReadGrants returns everything that roles grant to a ServiceAccount by name. It leaves out what every authenticated
// user may do.
func ReadGrants(ctx context.Context, c client.Reader, namespace, account string) ([]Grant, error) {
	var clusterWide rbacv1.ClusterRoleBindingList
	if err := c.List(ctx, &clusterWide); err != nil {
		return nil, err
	}
	var namespaced rbacv1.RoleBindingList
	if err := c.List(ctx, &namespaced); err != nil {
		return nil, err
	}
	bindings := namespaced.Items
	for _, b := range clusterWide.Items {
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

// split splits rules into grants with the account, role and namespace of base.
func split(base Grant, rules []rbacv1.PolicyRule) []Grant {
	var grants []Grant
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					g := base
					g.Group, g.Resource, g.Verb, g.Names = group, resource, verb, rule.ResourceNames
					grants = append(grants, g)
				}
			}
		}
	}
	return grants
}
