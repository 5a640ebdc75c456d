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
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// management lists the actions of management.
var management = []string{
	ActionRead, ActionRenewSelf, ActionWrite, audit.ActionRead, "keys.introspect", "usage.read", "usage.write",
	"users.read", "users.write",
}

// Catalog lists the rights that can be given to keys.
type Catalog struct {
	// Actions are those of management and of ROUTES. Scopes are the same and the actions that roles allow. Both
	// are sorted.
	Actions, Scopes []string
	// Roles are sorted by name, and never nil.
	Roles []Role
}

// Role is an AccessRole. Its bindings are not part of the catalogue.
type Role struct {
	Name, Description string
	// Permissions are never nil.
	Permissions []v1alpha1.Permission
	// MaxTTL bounds the lifetime of keys with the role. 0: no bound.
	MaxTTL time.Duration
}

// Catalog returns the catalog. The caller must be allowed to read or write keys, at least its own.
func (s *Service) Catalog(ctx context.Context, caller manage.Caller) (*Catalog, error) {
	if err := s.authorizeCatalog(caller); err != nil {
		return nil, err
	}
	live, err := s.Store.Roles(ctx)
	if err != nil {
		return nil, s.toError(ctx, err)
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
	return &Catalog{
		Actions: slices.Sorted(maps.Keys(actions)), Scopes: slices.Sorted(maps.Keys(scopes)), Roles: roles,
	}, nil
}

func (s *Service) authorizeCatalog(caller manage.Caller) error {
	own := v1alpha1.Subject{Kind: v1alpha1.SubjectUser}
	if caller.Caller != nil {
		own.Name = caller.Username
	}
	for _, action := range []string{ActionRead, ActionWrite} {
		if isProven(caller) && s.isAllowed(caller, own, action) {
			return nil
		}
	}
	if !isProven(caller) {
		return errUnauthorized
	}
	return lacks(ActionWrite)
}

func roleOf(r *v1alpha1.AccessRole) Role {
	return Role{
		Name: r.Name, Description: r.Spec.Description, Permissions: append([]v1alpha1.Permission{}, r.Spec.Permissions...),
		MaxTTL: convert.Role(r).MaxTTL,
	}
}

// allowedBy returns the actions that a role allows by name.
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
