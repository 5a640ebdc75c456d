package verify

import (
	"crypto/sha256"
	"iter"
)

// objectTable keeps each object in a slot, by whose number others refer to it. The garbage collector follows
// pointers but not numbers: with 100,000 objects, each further pointer to an object costs it as much as half
// an object.
type objectTable struct {
	objects []*object
	// free has the slots without an object.
	free []objectSlot
	// named has the slot of each object by a collision-free hash of its name.
	named map[nameHash]objectSlot
}

// objectSlot is a place in the objectTable.
type objectSlot int32

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
func (t *objectTable) find(id ID) *object {
	if at, found := t.named[hashOf(id)]; found {
		return t.objects[at]
	}
	return nil
}

// put assigns a slot and the name to an object. An earlier object of the same name keeps its slot until it is
// cleared.
func (t *objectTable) put(o *object) {
	if t.named == nil {
		t.named = map[nameHash]objectSlot{}
	}
	if last := len(t.free) - 1; last >= 0 {
		o.slot, t.free = t.free[last], t.free[:last]
		t.objects[o.slot] = o
	} else {
		o.slot = objectSlot(len(t.objects))
		t.objects = append(t.objects, o)
	}
	t.named[hashOf(o.id)] = o.slot
}

// removeName removes the name of an object. Its slot stays taken until it is cleared.
func (t *objectTable) removeName(id ID) { delete(t.named, hashOf(id)) }

// clear frees the slot of an object, which may be nil.
func (t *objectTable) clear(o *object) {
	if o != nil {
		t.objects[o.slot] = nil
		t.free = append(t.free, o.slot)
	}
}

// all returns every object that has a slot.
func (t *objectTable) all() iter.Seq[*object] {
	return func(yield func(*object) bool) {
		for _, o := range t.objects {
			if o != nil && !yield(o) {
				return
			}
		}
	}
}

// at returns the objects of some slots.
func (t *objectTable) at(slots []objectSlot) []*object {
	found := make([]*object, len(slots))
	for i, slot := range slots {
		found[i] = t.objects[slot]
	}
	return found
}
