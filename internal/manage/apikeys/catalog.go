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

// management are the actions of management, with what each allows.
var management = map[string]string{
	ActionRead:        "lists API keys",
	ActionRenewSelf:   "lets the key rotate itself, and nothing else",
	ActionWrite:       "creates, changes and deletes API keys",
	audit.ActionRead:  "reads the audit trail",
	"keys.introspect": "asks whether other keys are accepted, as gateways do",
	"usage.read":      "reads the token usage of everyone",
	"usage.write":     "reports token usage",
	"users.read":      "lists users",
	"users.write":     "changes users",
}

// Explain returns what an action of management allows, in a few words, and "" for another action.
func Explain(action string) string { return management[action] }

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

// RolesWith returns the names of the roles that allow an action by its name.
func (c *Catalog) RolesWith(action string) (names []string) {
	for i := range c.Roles {
		if slices.Contains(allowedBy(c.Roles[i].Permissions), action) {
			names = append(names, c.Roles[i].Name)
		}
	}
	return names
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
	for _, action := range slices.AppendSeq(slices.Clone(s.Actions()), maps.Keys(management)) {
		actions[action], scopes[action] = true, true
	}
	roles := make([]Role, 0, len(live))
	for i := range live {
		roles = append(roles, roleOf(&live[i]))
		for _, action := range allowedBy(live[i].Spec.Permissions) {
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

// allowedBy returns the actions that permissions allow by name.
func allowedBy(permissions []v1alpha1.Permission) (actions []string) {
	for i := range permissions {
		p := &permissions[i]
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
