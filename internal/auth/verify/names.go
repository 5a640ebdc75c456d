package verify

import "keywright.dev/keywright/internal/auth/username"

// names says which object holds a username.
type names struct {
	holders   map[string]*object
	outranked rivals[string]
}

// swap puts next in the place of prev and returns the other objects that won or lost a name by it.
func (n *names) swap(prev, next *object) (others []*object) {
	if next != nil && next.ownsUsername {
		if loser := n.add(next); loser != nil && loser != prev {
			others = append(others, loser)
		}
	}
	if prev != nil && prev.ownsUsername {
		if heir := n.remove(prev); heir != nil && heir != next {
			others = append(others, heir)
		}
	}
	return others
}

// add returns the object that o took the name from, if there was one.
func (n *names) add(o *object) *object {
	if n.holders == nil {
		n.holders = map[string]*object{}
	}
	name := username.Fold(o.identity.Username)
	held := n.holders[name]
	if held != nil && !o.outranks(held) {
		o.outranked = true
		n.outranked.add(name, o)
		return nil
	}
	n.holders[name] = o
	if held != nil {
		held.outranked = true
		n.outranked.add(name, held)
	}
	return held
}

// remove returns the object that inherits the name, if one does.
func (n *names) remove(o *object) *object {
	name := username.Fold(o.identity.Username)
	if n.holders[name] != o {
		n.outranked.remove(name, o)
		return nil
	}
	heir := n.outranked.takeFirst(name, (*object).outranks)
	if heir == nil {
		delete(n.holders, name)
		return nil
	}
	n.holders[name] = heir
	heir.outranked = false
	return heir
}

// outranks orders objects that claim the same username.
func (o *object) outranks(other *object) bool { return o.claim.Before(other.claim) }
