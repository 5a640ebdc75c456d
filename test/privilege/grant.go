package privilege

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"keywright.dev/keywright/test/stack"
)

// Grant is the smallest part of a rule: one verb on one resource.
type Grant struct {
	// Account is the ServiceAccount that has it, Role the role that it comes from.
	Account, Role string
	// Namespace is where it counts. Empty: everywhere.
	Namespace string
	// Group and Resource, which has its subresource behind a slash.
	Group, Resource, Verb string
	// Names are the objects it is limited to. Empty: it is not.
	Names []string
}

func (g Grant) String() string {
	where := "everywhere"
	if g.Namespace != "" {
		where = "in " + g.Namespace
	}
	return fmt.Sprintf("%s: %s %s.%s %q %s, by %s", g.Account, g.Verb, g.Resource, g.Group, g.Names, where, g.Role)
}

// allows says whether the grant, by itself, lets a request through.
func (g Grant) allows(r stack.Request) bool {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return g.Account == r.Account && is(g.Group, r.Group) && is(g.Resource, resource) && is(g.Verb, r.Verb) &&
		(g.Namespace == "" || g.Namespace == r.Namespace || r.Resource == "namespaces" && g.Namespace == r.Name) &&
		(len(g.Names) == 0 || slices.Contains(g.Names, r.Name))
}

func is(granted, asked string) bool {
	return granted == asked || granted == rbacv1.VerbAll
}

// split takes rules apart. base says whose they are and where they count.
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

// Unneeded lists the grants without which every request would have been allowed still: those that nothing used, and
// those that repeat another.
func Unneeded(grants []Grant, requests []stack.Request) []Grant {
	needed := make([]bool, len(grants))
	for _, r := range asked(requests) {
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

// soleGrant is the one grant that allows a request, or -1 where none does, or several do.
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

// created is the answer to a request that made an object.
const created = 201

// asked is each request that was made, once. A server-side apply that made an object was authorized as a create too.
func asked(requests []stack.Request) []stack.Request {
	seen := map[stack.Request]bool{}
	var distinct []stack.Request
	note := func(r stack.Request) {
		if !seen[r] {
			seen[r] = true
			distinct = append(distinct, r)
		}
	}
	for _, r := range requests {
		made := r.Code == created
		r.Code = 0
		note(r)
		if made && r.Verb == "patch" {
			r.Verb = "create"
			note(r)
		}
	}
	return distinct
}

// Refused lists the requests that the API server forbade.
func Refused(requests []stack.Request) []stack.Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r stack.Request) bool { return r.Code != forbidden })
}

const forbidden = 403
