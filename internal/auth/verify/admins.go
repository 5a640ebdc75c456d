package verify

import "slices"

// admins counts those who can come in with a key of their own. One has to remain: while there is none, an object that
// is being deleted and says that it stays goes on being accepted.
type admins struct {
	active int
	// staying are the objects that say so. There is hardly ever one.
	staying []*object
}

// none says that nobody is left but who stays.
func (a *admins) none() bool { return a.active == 0 }

// swap puts next in the place of prev; others won or lost a username by it. It returns the staying objects when they
// are needed from now on, or no longer.
func (a *admins) swap(prev, next *object, others []*object) (concerned []*object) {
	before := a.none()
	if prev != nil {
		a.count(prev, false)
		a.staying = slices.DeleteFunc(a.staying, func(o *object) bool { return o == prev })
	}
	for _, o := range others {
		a.count(o, o.isActiveAdmin())
	}
	if next != nil {
		a.count(next, next.isActiveAdmin())
		if next.staysIfLast {
			a.staying = append(a.staying, next)
		}
	}
	if a.none() == before {
		return nil
	}
	return slices.Clone(a.staying)
}

func (a *admins) count(o *object, active bool) {
	switch {
	case active && !o.active:
		a.active++
	case !active && o.active:
		a.active--
	}
	o.active = active
}

// isActiveAdmin asks for a key without an end. One in its overlap has an end, and a successor that has none.
func (o *object) isActiveAdmin() bool {
	return o.ownsUsername && o.identity.Admin && o.standing == Accepted && !o.outranked &&
		slices.ContainsFunc(o.keys, func(k heldKey) bool { return k.notAfter == never })
}
