package verify

import (
	"crypto/sha256"
	"iter"
)

// shelf has each object in a place of its own, by whose number others refer to it. The garbage collector follows pointers
// and no numbers: of 100,000 objects each further pointer to them costs it as much as half an object does.
type shelf struct {
	objects []*object
	// free are the places without an object.
	free []place
	// named is where the object of a name is, by a hash of the name that nobody can make two of meet.
	named map[nameHash]place
}

// place is where an object is on the shelf.
type place int32

type nameHash [16]byte

func hashOf(id ID) nameHash {
	var room [256]byte
	text := append(room[:0], id.Kind...)
	text = append(append(text, 0), id.Namespace...)
	text = append(append(text, 0), id.Name...)
	sum := sha256.Sum256(text)
	return nameHash(sum[:])
}

// find returns the object of a name, or nil.
func (s *shelf) find(id ID) *object {
	if at, found := s.named[hashOf(id)]; found {
		return s.objects[at]
	}
	return nil
}

// put finds a place for an object, which is the one of its name from now on. One that was before keeps its place until it
// is cleared.
func (s *shelf) put(o *object) {
	if s.named == nil {
		s.named = map[nameHash]place{}
	}
	if last := len(s.free) - 1; last >= 0 {
		o.place, s.free = s.free[last], s.free[:last]
		s.objects[o.place] = o
	} else {
		o.place = place(len(s.objects))
		s.objects = append(s.objects, o)
	}
	s.named[hashOf(o.id)] = o.place
}

// forget leaves no object of a name. The place has to be cleared yet.
func (s *shelf) forget(id ID) { delete(s.named, hashOf(id)) }

// clear makes the place of an object, which may be nil, free for others.
func (s *shelf) clear(o *object) {
	if o != nil {
		s.objects[o.place] = nil
		s.free = append(s.free, o.place)
	}
}

// all are the objects that have a place.
func (s *shelf) all() iter.Seq[*object] {
	return func(yield func(*object) bool) {
		for _, o := range s.objects {
			if o != nil && !yield(o) {
				return
			}
		}
	}
}

// at are the objects in some places.
func (s *shelf) at(places []place) []*object {
	found := make([]*object, len(places))
	for i, p := range places {
		found[i] = s.objects[p]
	}
	return found
}
