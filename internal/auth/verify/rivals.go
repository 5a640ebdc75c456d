package verify

import "slices"

// rivals are the objects that lay claim to something that another object has. There are hardly ever any.
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

// takeFirst removes and returns the object that comes before all others, or nil when there is none.
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
