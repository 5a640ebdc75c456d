package access

import "slices"

// Covers reports whether a caller that holds held, within ceiling, may give wanted to a key whose owner's
// rights are limit. A nil ceiling or limit does not limit.
//
// No caller can give what it does not hold: held and ceiling must allow every request that wanted and limit
// allow. In doubt the result is false. held must cover wanted whatever the limit, because limits change: a
// caller with few rights must not create a key that grows with the rights of its owner. ceiling may instead
// cover limit: usually both are the rights of the same user.
func Covers(held Grant, ceiling *Grant, wanted Grant, limit *Grant) bool {
	return held.covers(&wanted) && (ceiling == nil || ceiling.covers(&wanted) || limit != nil && ceiling.covers(limit))
}

func (g *Grant) covers(wanted *Grant) bool {
	if !g.worksWherever(wanted) {
		return wanted.isEmpty()
	}
	allows, denies := g.parts()
	everything := g.Everything || slices.ContainsFunc(allows, (*Permission).isEverything)
	if len(denies) == 0 && g.Everything {
		return true
	}
	hasRole := func(name string) bool { return everything && len(denies) == 0 || slices.Contains(g.roles, name) }
	for _, name := range wanted.roles {
		if !hasRole(name) {
			return false
		}
	}
	return g.coversAllows(allows, wanted) && coversDenies(denies, wanted)
}

// worksWherever reports whether g allows something whenever wanted does: a role that g needs and that does not exist is
// one that wanted needs too.
func (g *Grant) worksWherever(wanted *Grant) bool {
	return !g.needsRoles || !slices.ContainsFunc(g.allRoles.Missing(g.roles), func(name string) bool {
		return !wanted.needsRoles || !slices.Contains(wanted.roles, name)
	})
}

// isEmpty reports whether the grant allows nothing, whatever becomes of roles.
func (g *Grant) isEmpty() bool {
	allows, _ := g.own().parts()
	return !g.Everything && len(allows) == 0 && len(g.roles) == 0
}

// coversAllows ignores the roles of wanted: covers compares them by name, because their permissions change.
func (g *Grant) coversAllows(allows []*Permission, wanted *Grant) bool {
	switch {
	case g.Everything:
		return true
	case wanted.Everything:
		return false
	}
	asked, _ := wanted.own().parts()
	for _, p := range asked {
		if !p.within(allows) {
			return false
		}
	}
	return true
}

// coversDenies reports whether wanted allows nothing that the DENYs deny: for each one, wanted repeats the DENY
// or has no ALLOW that meets it.
func coversDenies(denies []*Permission, wanted *Grant) bool {
	allows, repeated := wanted.parts()
	for _, denied := range denies {
		meets := wanted.Everything || slices.ContainsFunc(allows, denied.meets)
		if meets && !denied.within(repeated) {
			return false
		}
	}
	return true
}

// own returns a grant without its roles.
func (g *Grant) own() *Grant { return &Grant{Permissions: g.Permissions, scopes: g.scopes} }

// parts returns the ALLOWs and the DENYs of a grant, without Everything.
func (g *Grant) parts() (allows, denies []*Permission) {
	for _, action := range g.scopes {
		scope := Scope(action)
		allows = append(allows, &scope)
	}
	sort := func(permissions []Permission) {
		for i := range permissions {
			if p := &permissions[i]; p.Effect == Allow {
				allows = append(allows, p)
			} else {
				denies = append(denies, p)
			}
		}
	}
	sort(g.Permissions)
	for _, name := range g.roles {
		role, _ := g.allRoles.role(name)
		sort(role.Permissions)
	}
	return allows, denies
}

func (p *Permission) isEverything() bool {
	return slices.Contains(p.Actions, Any) && slices.Contains(p.Resources, Any) && len(p.StringEquals) == 0
}

// within reports whether the others match every request that p matches. Each action on each resource has to
// be within one of them.
func (p *Permission) within(others []*Permission) bool {
	found := make([]bool, len(p.Actions)*len(p.Resources))
	for _, o := range others {
		if !p.isNarrower(o.StringEquals) {
			continue
		}
		resources := included(o.Resources, p.Resources)
		for i, action := range p.Actions {
			if includes(o.Actions, action) {
				addTo(found[i*len(resources):], resources)
			}
		}
	}
	return !slices.Contains(found, false)
}

func included(named, asked []string) []bool {
	is := make([]bool, len(asked))
	for i := range asked {
		is[i] = includes(named, asked[i])
	}
	return is
}

func addTo(found, more []bool) {
	for i := range more {
		found[i] = found[i] || more[i]
	}
}

// isNarrower reports whether the condition of p has all of these properties.
func (p *Permission) isNarrower(condition map[string]string) bool {
	for name, want := range condition {
		if got, ok := p.StringEquals[name]; !ok || got != want {
			return false
		}
	}
	return true
}

// meets reports whether there may be a request that both match.
func (p *Permission) meets(o *Permission) bool {
	return overlap(p.Actions, o.Actions) && overlap(p.Resources, o.Resources) && !p.contradicts(o)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(one string) bool {
		return slices.ContainsFunc(b, func(other string) bool { return one == Any || other == Any || one == other })
	})
}

// contradicts reports whether no resource can have the properties that both require.
func (p *Permission) contradicts(o *Permission) bool {
	for name, want := range p.StringEquals {
		if other, ok := o.StringEquals[name]; ok && other != want {
			return true
		}
	}
	return false
}
