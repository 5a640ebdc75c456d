package access

import "slices"

// Covers says whether somebody who may what held gives, within ceiling, may hand out wanted, which limit will limit.
// Nil: nothing limits.
//
// Nobody gives what they do not hold: no request that wanted and limit allow is one that held and ceiling do not. What
// is not clear is a no. held has to cover wanted whatever the limit, for limits change: whoever is limited in what they
// hold must not hand out what grows with the rights of the user. Their ceiling is most often that very limit.
func Covers(held Grant, ceiling *Grant, wanted Grant, limit *Grant) bool {
	return held.covers(&wanted) && (ceiling == nil || ceiling.covers(&wanted) || limit != nil && ceiling.covers(limit))
}

func (g *Grant) covers(wanted *Grant) bool {
	gives, takes := g.parts()
	everything := g.Everything || slices.ContainsFunc(gives, (*Permission).isEverything)
	if len(takes) == 0 && g.Everything {
		return true
	}
	hasRole := func(name string) bool { return everything && len(takes) == 0 || slices.Contains(g.roles, name) }
	for _, name := range wanted.roles {
		if !hasRole(name) {
			return false
		}
	}
	return g.givesAll(gives, wanted) && takesNone(takes, wanted)
}

// givesAll leaves out what wanted has by roles: a role is handed out by its name, with all that it will ever give.
func (g *Grant) givesAll(gives []*Permission, wanted *Grant) bool {
	switch {
	case g.Everything:
		return true
	case wanted.Everything:
		return false
	}
	asked, _ := wanted.own().parts()
	for _, p := range asked {
		if !p.within(gives) {
			return false
		}
	}
	return true
}

// takesNone says that none of what is denied to somebody gets allowed by wanted: a DENY is there again, or has nothing to
// do with it.
func takesNone(takes []*Permission, wanted *Grant) bool {
	gives, again := wanted.parts()
	for _, denied := range takes {
		meets := wanted.Everything || slices.ContainsFunc(gives, denied.meets)
		if meets && !denied.within(again) {
			return false
		}
	}
	return true
}

// own is a grant without its roles.
func (g *Grant) own() *Grant { return &Grant{Permissions: g.Permissions, scopes: g.scopes} }

// parts are what a grant gives, and what it takes away. Everything is not among them.
func (g *Grant) parts() (gives, takes []*Permission) {
	for _, action := range g.scopes {
		scope := Scope(action)
		gives = append(gives, &scope)
	}
	sort := func(permissions []Permission) {
		for i := range permissions {
			if p := &permissions[i]; p.Effect == Allow {
				gives = append(gives, p)
			} else {
				takes = append(takes, p)
			}
		}
	}
	sort(g.Permissions)
	for _, name := range g.roles {
		sort(g.among.permissions(name))
	}
	return gives, takes
}

func (p *Permission) isEverything() bool {
	return slices.Contains(p.Actions, Any) && slices.Contains(p.Resources, Any) && len(p.StringEquals) == 0
}

// within says that each request that p matches is one that some of the others match too. Each action on each resource
// has to be within one of them.
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

// isNarrower says that p asks for each of these properties too.
func (p *Permission) isNarrower(condition map[string]string) bool {
	for name, want := range condition {
		if got, is := p.StringEquals[name]; !is || got != want {
			return false
		}
	}
	return true
}

// meets says that some request may be one that both match.
func (p *Permission) meets(o *Permission) bool {
	return overlap(p.Actions, o.Actions) && overlap(p.Resources, o.Resources) && !p.contradicts(o)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(one string) bool {
		return slices.ContainsFunc(b, func(other string) bool { return one == Any || other == Any || one == other })
	})
}

// contradicts says that no object can have the properties that both ask for.
func (p *Permission) contradicts(o *Permission) bool {
	for name, want := range p.StringEquals {
		if other, is := o.StringEquals[name]; is && other != want {
			return true
		}
	}
	return false
}
