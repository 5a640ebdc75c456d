package convert

import (
	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
)

// Rights returns the rights that an APIKey gives to its keys.
func Rights(key *v1alpha1.APIKey) access.Rights {
	given := access.Rights{Scopes: Plain(key.Spec.Scopes), Roles: Plain(key.Spec.Roles)}
	if key.Spec.Policy != nil {
		given.Permissions = permissions(key.Spec.Policy.Permissions)
	}
	return given
}

// Role returns the rules of an AccessRole.
func Role(role *v1alpha1.AccessRole) access.Role {
	r := access.Role{Permissions: permissions(role.Spec.Permissions)}
	if limits := role.Spec.Limits; limits != nil {
		r.MaxTTL, r.Budgets = Duration(limits.MaxTTL), Budgets(limits.Budgets)
	}
	return r
}

// Binding returns the rules of an AccessRoleBinding.
func Binding(b *v1alpha1.AccessRoleBinding) access.Binding {
	bound := access.Binding{Role: string(b.Spec.RoleRef.Name), DeniesKeys: b.Spec.APIKeys == v1alpha1.KeysDenied}
	for _, subject := range b.Spec.Subjects {
		if subject.Kind == v1alpha1.BoundUser {
			bound.Users = append(bound.Users, string(subject.Name))
		}
	}
	return bound
}

func permissions(written []v1alpha1.Permission) []access.Permission {
	if len(written) == 0 {
		return nil
	}
	read := make([]access.Permission, 0, len(written))
	for i := range written {
		p := access.Permission{
			Effect: access.Effect(written[i].Effect), Actions: Plain(written[i].Actions), Resources: Plain(written[i].Resources),
		}
		if c := written[i].Condition; c != nil {
			p.StringEquals = PlainValues(c.StringEquals)
		}
		read = append(read, p)
	}
	return read
}

// Plain returns a list of strings without their type, and nil for an empty one.
func Plain[S ~string](typed []S) []string {
	if len(typed) == 0 {
		return nil
	}
	out := make([]string, 0, len(typed))
	for _, s := range typed {
		out = append(out, string(s))
	}
	return out
}

// PlainValues returns a map of strings without their types.
func PlainValues[V ~string](typed map[string]V) map[string]string {
	out := make(map[string]string, len(typed))
	for name, value := range typed {
		out[name] = string(value)
	}
	return out
}
