package verify

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// Index finds the object that records a key. Its zero value is empty and ready. It is safe for concurrent
// use: writers take turns, and readers never wait.
type Index struct {
	keys keys
	// roles are read without mu.
	roles atomic.Pointer[access.Roles]
	// limits are those of the instance. They are read without mu. Nil: none.
	limits atomic.Pointer[lifecycle.Limits]
	// changes counts changes of roles, of bindings and of who is an admin: everything that rights depend on,
	// besides the rights of API keys. It is read without mu, and grows after the change.
	changes atomic.Uint64
	// plain counts the keys that objects record by a plain digest. It is read without mu, and changes before the keys do.
	plain atomic.Int64

	// mu serializes changes. Verifying a key never takes it.
	mu      sync.Mutex
	objects objectTable
	// hidden has the objects that record a key which another object holds.
	hidden rivals[fingerprint]
	names  usernames
	users  map[string]*user
	admins admins
	byRole map[string]access.Role
	// bindings are the AccessRoleBindings by name.
	bindings map[string]*access.Binding
	peppers  pepperUse
	accounts accounts
	// ended has the keys that the current change has ended.
	ended []pepper.Digest
	// revoked and formerBootstrap have the keys that are refused for good. recurrences are reported by TakeRecurrences.
	revoked         revokedKeys
	formerBootstrap map[fingerprint]struct{}
	recurrences     map[Recurrence]struct{}
}

// Put adds or replaces an object. A key that the object still records is accepted throughout; a key that it no
// longer records is unknown once Put returns. The cost grows with the object's keys and, for an AdminUser, with
// the keys that speak as its user.
//
// Put returns the keys that were accepted and current before the call and are not any more, whatever the
// cause: the object, the user, or another object that records the same key. It does not return keys that
// expired.
func (x *Index) Put(id ID, k KeyObject) (ended []pepper.Digest) {
	next := newObject(id, k)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.put(next, k.Budgets)
	return x.takeEnded()
}

// put is Put for a caller that holds mu.
func (x *Index) put(next *object, budgets []budget.Budget) {
	prev := x.objects.find(next.id)
	x.markBarred(next)
	x.accounts.setKey(prev, next, budgets)
	if prev.equals(next) {
		prev.lastUsed = next.lastUsed
		x.limit(prev)
		return
	}
	x.noteRecurrences(prev, next)
	next.inherit(prev)
	x.limit(next)
	if x.peppers == nil {
		x.peppers = pepperUse{}
	}
	x.objects.put(next)
	x.swap(prev, next)
}

// Delete removes all keys of an object from the index. It returns what Put returns.
func (x *Index) Delete(id ID) (ended []pepper.Digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.delete(id)
	return x.takeEnded()
}

// delete is Delete for a caller that holds mu.
func (x *Index) delete(id ID) {
	prev := x.objects.find(id)
	x.accounts.removeKey(prev)
	x.objects.removeName(id)
	x.swap(prev, nil)
}

// Replace puts all objects of a kind in a namespace, and deletes every other object of that kind there. An
// empty namespace stands for all. It returns the keys that these calls of Put and Delete return, which may
// include a key that moved from one object to another.
func (x *Index) Replace(kind, namespace string, all iter.Seq2[ID, KeyObject]) (ended []pepper.Digest) {
	there := map[ID]bool{}
	for id, k := range all {
		there[id] = true
		ended = append(ended, x.Put(id, k)...)
	}
	for _, id := range x.ids(kind, namespace) {
		if !there[id] {
			ended = append(ended, x.Delete(id)...)
		}
	}
	return ended
}

// bootstrapID has a kind that does not exist in Kubernetes, so that Replace never deletes it.
var bootstrapID = ID{Kind: "(bootstrap)"}

// SetBootstrap replaces the bootstrap key; nil removes it. The bootstrap key counts as older than every object,
// so it wins over an object that records the same key. Former bootstrap keys are refused to every object: one that
// adopted the bootstrap key must not outlive its replacement. SetBootstrap returns what Put returns.
func (x *Index) SetBootstrap(digest *pepper.Digest, former ...pepper.Digest) (ended []pepper.Digest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// An object with a key that stops or begins to be the bootstrap key is refused throughout.
	x.addFormerBootstrap(former)
	if digest == nil {
		x.delete(bootstrapID)
	} else {
		x.put(newObject(bootstrapID, KeyObject{
			Identity: Identity{Username: username.Bootstrap, Subject: "User/" + username.Bootstrap, Admin: true},
			Standing: Accepted,
			Keys:     []Key{{Digest: *digest}},
		}), nil)
	}
	x.keepFormerBootstrap(former)
	return x.takeEnded()
}

func (x *Index) ids(kind, namespace string) []ID {
	x.mu.Lock()
	defer x.mu.Unlock()
	var ids []ID
	for o := range x.objects.all() {
		if o.id.Kind == kind && (namespace == "" || o.id.Namespace == namespace) {
			ids = append(ids, o.id)
		}
	}
	return ids
}

// Len returns the number of keys, refused ones included.
func (x *Index) Len() int { return int(x.keys.live.Load()) }

// swap replaces prev by next. Either may be nil.
//
// The order prevents gaps. The keys of next go in before those of prev go out, so a key of both is never
// missing. Usernames are settled before any key is written, so no key is refused in between. And an object
// that stays if last is accepted before the last active admin goes, and refused after another has come.
func (x *Index) swap(prev, next *object) {
	others := x.names.swap(prev, next)
	x.peppers.swap(prev, next)
	x.plain.Store(int64(x.peppers[plainPepper]))
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
	x.updateUsers(append(others, prev, next)...)
	x.objects.clear(prev)
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

// refresh rewrites the entries of objects whose reason or end has changed.
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

// entry returns the entry of a key as objects stand now.
func (x *Index) entry(o *object, k *heldKey) entry {
	if why := x.reason(o); why != Accepted {
		return refusedEntry(o, why)
	}
	if x.isBarred(o, k) {
		return refusedEntry(o, Revoked)
	}
	until := max(0, x.until(o, k))
	if o.rights != nil && len(x.roles.Load().Missing(o.rights.Roles)) > 0 {
		return lackingRole(o, until)
	}
	return entry{owner: o, until: until}
}

func (x *Index) reason(o *object) Reason {
	if o.standing == Deleted && o.staysIfLast && !o.outranked && x.admins.none() {
		return Accepted
	}
	return Refusal(o.standing, o.outranked, o.user.reason(o.userID))
}

// until returns the end of a key.
func (x *Index) until(o *object, k *heldKey) int64 {
	if o.rights == nil {
		return k.expiresAt
	}
	b := lifecycle.Bounds{RoleTTL: x.roles.Load().MaxTTL(o.rights.Roles), Limits: x.Limits()}
	if !o.endless {
		b.DefaultTTL = 0
	}
	limit, _ := b.End(time.UnixMicro(k.issued))
	return min(k.expiresAt, end(limit))
}

// change replaces the entry of a key, and records the key as ended if it can no longer hold a session.
func (x *Index) change(f fingerprint, held *entry, next entry) {
	if !next.canHoldSession(f) {
		x.end(f, held)
	}
	x.keys.set(f, next)
}

// end records the key as ended, unless it had ended before.
func (x *Index) end(f fingerprint, held *entry) {
	if held.canHoldSession(f) {
		x.ended = append(x.ended, held.owner.key(f).digest())
	}
}

// takeEnded returns the ended keys, without those that another object has taken over.
func (x *Index) takeEnded() []pepper.Digest {
	ended := slices.DeleteFunc(x.ended, func(d pepper.Digest) bool {
		f := fingerprintOf(&d.Sum)
		held, _ := x.keys.find(f)
		return held != nil && held.canHoldSession(f)
	})
	x.ended = nil
	return ended
}
