package verify

import (
	"time"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
)

// Holds names the object that records a key of this digest, be it refused. Of several it is the one that has it.
func (v *Verifier) Holds(digest *pepper.Digest) (id ID, found bool) {
	held, _ := v.index.keys.find(fingerprintOf(&digest.Sum))
	if held == nil {
		return ID{}, false
	}
	return held.owner.id, true
}

// KnowsUser says that an AdminUser of exactly this name is honoured. It waits for whoever changes the index, as the others
// here do.
func (v *Verifier) KnowsUser(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	return v.index.userNamed(name) != nil
}

// UserIsAdmin says that the AdminUser of exactly this name is honoured, and its keys are not refused.
func (v *Verifier) UserIsAdmin(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	return v.index.isAdmin(v.index.userNamed(name))
}

// LastUsed is the last use of its keys that an object tells of. It is zero when it tells of none, or is not there.
func (v *Verifier) LastUsed(id ID) time.Time {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	o := v.index.shelf.find(id)
	if o == nil || o.lastUsed < 0 {
		return time.Time{}
	}
	return time.UnixMicro(o.lastUsed).UTC()
}

// userNamed is nil where there is no such object.
func (x *Index) userNamed(name string) *object {
	if o := x.names.holders[username.Fold(name)]; o != nil && o.identity.Username == name {
		return o
	}
	return nil
}

func (x *Index) isAdmin(o *object) bool {
	return o != nil && o.identity.Admin && x.reason(o) == Accepted
}
