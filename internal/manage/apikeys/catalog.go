package apikeys

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/kube/convert"
)

// management are the actions of Keywright's own.
var management = []string{
	ActionRead, ActionWrite, "audit.read", "keys.introspect", "usage.read", "usage.write", "users.read", "users.write",
}

// Catalog is what keys can be given here.
type Catalog struct {
	// Actions are Keywright's own and those of ROUTES, Scopes are these and what roles allow. Both are sorted.
	Actions, Scopes []string
	// Roles are sorted by name, and never nil.
	Roles []Role
}

// Role is an AccessRole, without who holds it.
type Role struct {
	Name, Description string
	// Permissions are never nil.
	Permissions []v1alpha1.Permission
	// MaxTTL ends keys that use the role. 0: it does not.
	MaxTTL time.Duration
}

// Catalog tells what keys can be given to whoever may read or write keys, be it their own only.
func (s *Service) Catalog(ctx context.Context, by By) (*Catalog, error) {
	if err := s.mayBrowse(by); err != nil {
		return nil, err
	}
	live, err := s.Registry.Roles(ctx)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	actions, scopes := map[string]bool{}, map[string]bool{}
	for _, action := range slices.Concat(management, s.Actions()) {
		actions[action], scopes[action] = true, true
	}
	roles := make([]Role, 0, len(live))
	for i := range live {
		roles = append(roles, roleOf(&live[i]))
		for _, action := range allowedBy(&live[i]) {
			scopes[action] = true
		}
	}
	slices.SortFunc(roles, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return &Catalog{Actions: slices.Sorted(maps.Keys(actions)), Scopes: slices.Sorted(maps.Keys(scopes)), Roles: roles}, nil
}

func (s *Service) mayBrowse(by By) error {
	own := v1alpha1.Subject{Kind: v1alpha1.SubjectUser}
	if by.Caller != nil {
		own.Name = by.Username
	}
	for _, action := range []string{ActionRead, ActionWrite} {
		if by.isKnown() && s.isAllowed(by, own, action) {
			return nil
		}
	}
	if !by.isKnown() {
		return &Error{Kind: Unauthorized, Text: "invalid token"}
	}
	return &Error{Kind: Forbidden, Text: NotPermitted}
}

func roleOf(r *v1alpha1.AccessRole) Role {
	return Role{
		Name: r.Name, Description: r.Spec.Description, Permissions: append([]v1alpha1.Permission{}, r.Spec.Permissions...),
		MaxTTL: convert.Duration(r.Spec.MaxTTL),
	}
}

// allowedBy are the actions that a role allows by their names.
func allowedBy(r *v1alpha1.AccessRole) (actions []string) {
	for i := range r.Spec.Permissions {
		p := &r.Spec.Permissions[i]
		if p.Effect != v1alpha1.EffectAllow {
			continue
		}
		for _, action := range p.Actions {
			if action != access.Any {
				actions = append(actions, string(action))
			}
		}
	}
	return actions
}
