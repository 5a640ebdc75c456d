package access

import "strconv"

// Held is one permission that a grant has, and where it is written.
type Held struct {
	// Source is as in Rule.
	Source     string
	Permission Permission
}

// List returns the permissions of a grant in the order of Explain, and the roles that do not exist. An admin's rights
// are a permission on everything.
func List(g Grant) (all []Held, missing []string) {
	if g.Everything {
		p := Permission{Effect: Allow, Actions: []string{Any}, Resources: []string{Any}}
		all = append(all, Held{adminsRights, p})
	}
	for _, scope := range g.scopes {
		all = append(all, Held{"scope " + scope, Scope(scope)})
	}
	all = appendHeld(all, g.Permissions, "the policy")
	for _, name := range g.roles {
		role, exists := g.allRoles.role(name)
		if !exists {
			missing = append(missing, name)
		}
		all = appendHeld(all, role.Permissions, ofRole(name))
	}
	return all, missing
}

const adminsRights = "an admin's rights"

func ofRole(name string) string { return "AccessRole " + name }

func appendHeld(all []Held, permissions []Permission, of string) []Held {
	for i := range permissions {
		all = append(all, Held{permissionOf(i, of), permissions[i]})
	}
	return all
}

// permissionOf names a permission by its position: permission 2 of the policy.
func permissionOf(i int, of string) string { return "permission " + strconv.Itoa(i+1) + " of " + of }
