package verify

import (
	"slices"

	"keywright.dev/keywright/internal/auth/username"
)

// usernames records which object holds each username, by its folded form.
type usernames struct {
	owners    map[string]*object
	outranked rivals[string]
}

// swap replaces prev by next and returns the other objects that won or lost a username by that.
func (n *usernames) swap(prev, next *object) (others []*object) {
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

// add returns the object that lost the username to o, or nil.
func (n *usernames) add(o *object) *object {
	if n.owners == nil {
		n.owners = map[string]*object{}
	}
	name := username.Fold(o.identity.Username)
	held := n.owners[name]
	if held != nil && !o.outranks(held) {
		o.outranked = true
		n.outranked.add(name, o)
		return nil
	}
	n.owners[name] = o
	if held != nil {
		held.outranked = true
		n.outranked.add(name, held)
	}
	return held
}

// remove returns the object that inherits the username, or nil.
func (n *usernames) remove(o *object) *object {
	name := username.Fold(o.identity.Username)
	if n.owners[name] != o {
		n.outranked.remove(name, o)
		return nil
	}
	heir := n.outranked.takeFirst(name, (*object).outranks)
	if heir == nil {
		delete(n.owners, name)
		return nil
	}
	n.owners[name] = heir
	heir.outranked = false
	return heir
}

// find returns the object that holds a username, ignoring case, or nil.
func (n *usernames) find(name string) *object { return n.owners[username.Fold(name)] }

// outranks orders objects that claim the same username.
func (o *object) outranks(other *object) bool { return o.claim().Before(other.claim()) }

// rivals has the objects that claim something which another object holds. There are hardly ever any.
type rivals[K comparable] map[K][]*object

func (r *rivals[K]) add(k K, o *object) {
	if *r == nil {
		*r = rivals[K]{}
	}
	(*r)[k] = append((*r)[k], o)
}

func (r *rivals[K]) remove(k K, o *object) {
	rest := slices.DeleteFunc((*r)[k], func(other *object) bool { return other == o })
	if len(rest) == 0 {
		delete(*r, k)
		return
	}
	(*r)[k] = rest
}

// takeFirst removes and returns the first rival in the order of before, or nil.
func (r *rivals[K]) takeFirst(k K, before func(a, b *object) bool) *object {
	var first *object
	for _, o := range (*r)[k] {
		if first == nil || before(o, first) {
			first = o
		}
	}
	r.remove(k, first)
	return first
}
