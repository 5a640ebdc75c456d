package verify

import (
	"iter"
	"sync"
)

// Index finds the object that a key belongs to. Its zero value is empty and ready. It is safe for concurrent use:
// writers take turns, and readers wait for nobody.
type Index struct {
	keys keys

	// mu makes one change at a time. Readers never take it.
	mu      sync.Mutex
	objects map[ID]*object
	// hidden are the objects that record a key which another object holds.
	hidden  rivals[fingerprint]
	names   names
	peppers pepperUse
}

// Put takes what an object says in place of what it said before. A key that is still in it is accepted throughout;
// one that is not has left the index when Put returns. The cost is that of the object's own keys.
func (x *Index) Put(id ID, h Holder) {
	next := newObject(h)
	x.mu.Lock()
	defer x.mu.Unlock()
	prev := x.objects[id]
	if prev.says(next) {
		return
	}
	if x.objects == nil {
		x.objects, x.peppers = map[ID]*object{}, pepperUse{}
	}
	x.objects[id] = next
	x.swap(prev, next)
}

// Delete takes all keys of an object out of the index.
func (x *Index) Delete(id ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	prev := x.objects[id]
	delete(x.objects, id)
	x.swap(prev, nil)
}

// Replace puts all the objects there are of a kind, and deletes every other object of that kind.
func (x *Index) Replace(kind string, all iter.Seq2[ID, Holder]) {
	there := map[ID]bool{}
	for id, h := range all {
		there[id] = true
		x.Put(id, h)
	}
	for _, id := range x.ids(kind) {
		if !there[id] {
			x.Delete(id)
		}
	}
}

func (x *Index) ids(kind string) []ID {
	x.mu.Lock()
	defer x.mu.Unlock()
	var ids []ID
	for id := range x.objects {
		if id.Kind == kind {
			ids = append(ids, id)
		}
	}
	return ids
}

// Len is the number of keys, refused ones included.
func (x *Index) Len() int { return int(x.keys.live.Load()) }

// swap puts next in the place of prev. Either may be nil.
//
// What next holds goes in before what prev held goes out, so that a key in both is never missing between; and
// names are settled before any key is written, so that it is never refused between either.
func (x *Index) swap(prev, next *object) {
	others := x.names.swap(prev, next)
	x.peppers.swap(prev, next)
	if next != nil {
		for _, k := range next.keys {
			x.add(next, k)
		}
	}
	if prev != nil {
		for _, k := range prev.keys {
			x.remove(prev, k.fingerprint)
		}
	}
	for _, o := range others {
		x.refresh(o)
	}
}

func (x *Index) add(o *object, k heldKey) {
	held, _ := x.keys.find(k.fingerprint)
	switch {
	case held == nil:
		x.keys.set(k.fingerprint, o.entry(k))
	case held.owner.olderThan(o):
		x.hidden.add(k.fingerprint, o)
	default:
		x.hidden.add(k.fingerprint, held.owner)
		x.keys.set(k.fingerprint, o.entry(k))
	}
}

func (x *Index) remove(o *object, f fingerprint) {
	if held, _ := x.keys.find(f); held.owner != o {
		x.hidden.remove(f, o)
		return
	}
	if heir := x.hidden.takeFirst(f, (*object).olderThan); heir != nil {
		x.keys.set(f, heir.entry(heir.key(f)))
		return
	}
	x.keys.remove(f)
}

// refresh writes an object's keys anew after its reason changed.
func (x *Index) refresh(o *object) {
	for _, k := range o.keys {
		if held, _ := x.keys.find(k.fingerprint); held != nil && held.owner == o {
			x.keys.set(k.fingerprint, o.entry(k))
		}
	}
}
