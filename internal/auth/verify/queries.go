package verify

import (
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// CanHoldSession reports whether a session may depend on the key of a digest, apart from the end of the key, and
// whether an object records the key at all. Unlike the other queries of this file it takes no lock.
func (v *Verifier) CanHoldSession(digest *pepper.Digest) (can, onRecord bool) {
	f := fingerprintOf(&digest.Sum)
	held, _ := v.index.keys.find(f)
	return held != nil && held.canHoldSession(f), held != nil
}

// HasUser reports whether an AdminUser of exactly this name is honoured.
func (v *Verifier) HasUser(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	return v.index.userNamed(name) != nil
}

// UserIsAdmin reports whether an AdminUser of exactly this name is honoured and its keys are not refused.
func (v *Verifier) UserIsAdmin(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	return v.index.isAdmin(v.index.userNamed(name))
}

// IsDisabled reports whether the AdminUser that holds this username, ignoring case, is disabled.
func (v *Verifier) IsDisabled(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	owner := v.index.names.find(name)
	return owner != nil && owner.disabled
}

// CanonicalName returns the username of the AdminUser that holds this username, ignoring case, in the
// spelling of that object. It is empty if no object holds it.
func (v *Verifier) CanonicalName(name string) string {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	if owner := v.index.names.find(name); owner != nil {
		return owner.identity.Username
	}
	return ""
}

// LastUsed returns KeyObject.LastUsed of an object. It is zero if the object is not in the index.
func (v *Verifier) LastUsed(id ID) time.Time {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	o := v.index.objects.find(id)
	if o == nil || o.lastUsed < 0 {
		return time.Time{}
	}
	return time.UnixMicro(o.lastUsed).UTC()
}

// userNamed returns the object that holds exactly this username, or nil.
func (x *Index) userNamed(name string) *object {
	if o := x.names.find(name); o != nil && o.identity.Username == name {
		return o
	}
	return nil
}

func (x *Index) isAdmin(o *object) bool {
	return o != nil && o.identity.Admin && x.reason(o) == Accepted
}
