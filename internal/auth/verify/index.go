package verify

import (
	"iter"
	"sync"
	"sync/atomic"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/key/pepper"
)

// Index finds the object that a key belongs to. Its zero value is empty and ready. It is safe for concurrent use:
// writers take turns, and readers wait for nobody.
type Index struct {
	keys keys
	// roles are read without mu.
	roles atomic.Pointer[access.Roles]
	// changes counts those of roles and of users' ranks: of what rights depend on, besides what keys were given. It is read
	// without mu, and grows after the change.
	changes atomic.Uint64

	// mu makes one change at a time. Readers never take it.
	mu    sync.Mutex
	shelf shelf
	// hidden are the objects that record a key which another object holds.
	hidden  rivals[fingerprint]
	names   names
	users   map[string]*user
	admins  admins
	byRole  map[string]access.Role
	peppers pepperUse
	// ended are the keys that the change under way has ended.
	ended []pepper.Digest
}

// Put takes what an object says in place of what it said before. A key that is still in it is accepted throughout;
// one that is not has left the index when Put returns. The cost is that of the object's own keys, and of those that
// speak for the user when it is an AdminUser.
//
// It returns the keys that were accepted as the current ones of their objects before it and are not any more, as objects
// stand now: because the object says so, or the user's, or another key took their place, or they are on record no more. That
// a key has expired it does not tell.
func (x *Index) Put(id ID, h Holder) (ended []pepper.Digest) {
	next := newObject(id, h)
	x.mu.Lock()
	defer x.mu.Unlock()
	prev := x.shelf.find(id)
	if prev.says(next) {
		prev.lastUsed = next.lastUsed
		return nil
	}
	next.follows(prev)
	if x.peppers == nil {
		x.peppers = pepperUse{}
	}
	x.shelf.put(next)
	return x.swap(prev, next)
}

// Delete takes all keys of an object out of the index. It returns what Put returns.
func (x *Index) Delete(id ID) (ended []pepper.Digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	prev := x.shelf.find(id)
	x.shelf.forget(id)
	return x.swap(prev, nil)
}

// Replace puts all the objects there are of a kind in a namespace, and deletes every other object of that kind there.
// Namespace "": in any. It returns what Put and Delete return, one after the other: a key that goes from one object to another
// may be among it.
func (x *Index) Replace(kind, namespace string, all iter.Seq2[ID, Holder]) (ended []pepper.Digest) {
	there := map[ID]bool{}
	for id, h := range all {
		there[id] = true
		ended = append(ended, x.Put(id, h)...)
	}
	for _, id := range x.ids(kind, namespace) {
		if !there[id] {
			ended = append(ended, x.Delete(id)...)
		}
	}
	return ended
}

func (x *Index) ids(kind, namespace string) []ID {
	x.mu.Lock()
	defer x.mu.Unlock()
	var ids []ID
	for o := range x.shelf.all() {
		if o.id.Kind == kind && (namespace == "" || o.id.Namespace == namespace) {
			ids = append(ids, o.id)
		}
	}
	return ids
}

// Len is the number of keys, refused ones included.
func (x *Index) Len() int { return int(x.keys.live.Load()) }

// swap puts next in the place of prev. Either may be nil.
//
// What next holds goes in before what prev held goes out, so that a key in both is never missing between; and
// names are settled before any key is written, so that it is never refused between either. For the same reason an
// admin who stays takes over before the last other one goes, and goes after another has come.
func (x *Index) swap(prev, next *object) (ended []pepper.Digest) {
	others := x.names.swap(prev, next)
	x.peppers.swap(prev, next)
	others = append(others, x.admins.swap(prev, next, others)...)
	if x.admins.none() {
		x.refresh(others...)
	}
	if next != nil {
		x.attach(next)
		for i := range next.keys {
			x.add(next, &next.keys[i])
		}
	}
	if prev != nil {
		for i := range prev.keys {
			x.remove(prev, prev.keys[i].fingerprint())
		}
		x.detach(prev)
	}
	x.refresh(others...)
	x.follow(append(others, prev, next)...)
	x.shelf.clear(prev)
	return x.takeEnded()
}

func (x *Index) add(o *object, k *heldKey) {
	f := k.fingerprint()
	held, _ := x.keys.find(f)
	switch {
	case held == nil:
		x.keys.set(f, x.entry(o, k))
	case held.owner.olderThan(o):
		x.hidden.add(f, o)
	default:
		x.hidden.add(f, held.owner)
		x.change(f, held, x.entry(o, k))
	}
}

func (x *Index) remove(o *object, f fingerprint) {
	held, _ := x.keys.find(f)
	if held.owner != o {
		x.hidden.remove(f, o)
		return
	}
	if heir := x.hidden.takeFirst(f, (*object).olderThan); heir != nil {
		x.change(f, held, x.entry(heir, heir.key(f)))
		return
	}
	x.end(f, held)
	x.keys.remove(f)
}

// refresh writes the keys of objects anew whose reason or end changed.
func (x *Index) refresh(objects ...*object) {
	for _, o := range objects {
		for i := range o.keys {
			k := &o.keys[i]
			f := k.fingerprint()
			held, _ := x.keys.find(f)
			if held == nil || held.owner != o {
				continue
			}
			if next := x.entry(o, k); next != *held {
				x.change(f, held, next)
			}
		}
	}
}

// entry is what there is to say of a key now.
func (x *Index) entry(o *object, k *heldKey) entry {
	if why := x.reason(o); why != Accepted {
		return entry{owner: o, until: ^int64(why)}
	}
	return entry{owner: o, until: max(0, x.until(o, k))}
}

func (x *Index) reason(o *object) Reason {
	switch {
	case o.standing == Deleted && o.staysIfLast && !o.outranked && x.admins.none():
		return Accepted
	case o.standing != Accepted:
		return o.standing
	case o.outranked:
		return UsernameTaken
	}
	return o.user.reason()
}

// until is the earliest end of a key.
func (x *Index) until(o *object, k *heldKey) int64 {
	if o.given == nil {
		return k.notAfter
	}
	return min(k.notAfter, after(k.issued, x.roles.Load().MaxTTL(o.given.Roles)))
}
