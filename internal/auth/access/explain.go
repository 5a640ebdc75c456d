package access

// Rule is a permission that applies to a request, and where it comes from.
type Rule struct {
	// Source is where the permission is written: scope certs.read; permission 2 of the policy; permission 1 of
	// AccessRole reader; an admin's rights.
	Source string
	Effect Effect
}

// Explanation is why a grant allows a request or not.
type Explanation struct {
	Allowed bool
	// Rules are all that apply to the request, those that deny included.
	Rules []Rule
	// Missing are roles that do not exist. While a key lacks one, it may do nothing.
	Missing []string
}

// Explain returns what May returns for a grant without a ceiling, and why.
func Explain(g Grant, r Request) Explanation {
	e := Explanation{Allowed: May(g, nil, r)}
	if g.Everything {
		e.Rules = append(e.Rules, Rule{adminsRights, Allow})
	}
	for _, scope := range g.scopes {
		p := Scope(scope)
		if r.Resource != "" && p.matches(&r) {
			e.Rules = append(e.Rules, Rule{"scope " + scope, Allow})
		}
	}
	e.add(g.Permissions, &r, "the policy")
	for _, name := range g.roles {
		role, exists := g.allRoles.role(name)
		if !exists {
			e.Missing = append(e.Missing, name)
		}
		e.add(role.Permissions, &r, ofRole(name))
	}
	return e
}

func (e *Explanation) add(permissions []Permission, r *Request, of string) {
	for i := range permissions {
		if p := &permissions[i]; p.matches(r) {
			effect := Deny
			if p.Effect == Allow {
				effect = Allow
			}
			e.Rules = append(e.Rules, Rule{permissionOf(i, of), effect})
		}
	}
}
