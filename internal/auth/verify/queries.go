package verify

import (
	"slices"
	"time"
	"unique"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
)

// CanHoldSession reports whether a session may depend on the key of a digest, apart from the end of the key, and
// whether an object records the key at all. Unlike the other queries of this file it takes no lock.
func (v *Verifier) CanHoldSession(digest *pepper.Digest) (can, onRecord bool) {
	f := fingerprintOf(&digest.Sum)
	held, _ := v.index.keys.find(f)
	return held != nil && held.canHoldSession(f), held != nil
}

// The names that these queries take are compared ignoring case.

// HasUser reports whether an AdminUser holds this username.
func (v *Verifier) HasUser(name string) bool { return v.CanonicalName(name) != "" }

// UserIsAdmin reports whether an AdminUser holds this username and its keys are not refused.
func (v *Verifier) UserIsAdmin(name string) bool {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	return v.index.isAdmin(v.index.names.find(name))
}

// Named returns this username in the spelling of the AdminUser that holds it, and whether that AdminUser is disabled.
// Without one, the username stays as it is.
func (v *Verifier) Named(name string) (spelling string, disabled bool) {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	if owner := v.index.names.find(name); owner != nil {
		return owner.identity.Username, owner.disabled
	}
	return name, false
}

// CanonicalName returns this username in the spelling of the AdminUser that holds it. It is empty if none does.
func (v *Verifier) CanonicalName(name string) string {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	if owner := v.index.names.find(name); owner != nil {
		return owner.identity.Username
	}
	return ""
}

// UserID returns the id of the user whose AdminUser has this username. It is empty without such an AdminUser, and while
// the AdminUser is being deleted.
func (v *Verifier) UserID(name string) string {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	return v.index.userID(v.index.names.find(name)).Value()
}

// OwnedKeys returns how many APIKeys belong to the user of this username and are not refused for good themselves: those
// that are refused once the AdminUser is gone.
func (v *Verifier) OwnedKeys(name string) (number int) {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	u := v.index.users[username.Fold(name)]
	if u == nil || u.present == unique.Make("") {
		return 0
	}
	for _, o := range v.index.objects.at(u.objects) {
		if o.userID == u.present && (o.standing == Accepted || o.standing == Disabled) {
			number++
		}
	}
	return number
}

// Spellings returns this username, and every other spelling of it in which an AdminUser or an APIKey has it.
func (v *Verifier) Spellings(name string) []string {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	spellings := []string{name}
	add := func(o *object) {
		if spelling := o.identity.Username; !slices.Contains(spellings, spelling) {
			spellings = append(spellings, spelling)
		}
	}
	if self := v.index.names.find(name); self != nil {
		add(self)
	}
	if u := v.index.users[username.Fold(name)]; u != nil {
		for _, o := range v.index.objects.at(u.objects) {
			add(o)
		}
	}
	return spellings
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

// APIKey returns the name and the subject (<kind>/<name>) of the APIKey with this uid. It scans all objects, which
// takes milliseconds for 100,000.
func (v *Verifier) APIKey(uid string) (id ID, subject string, found bool) {
	v.index.mu.Lock()
	defer v.index.mu.Unlock()
	for o := range v.index.objects.all() {
		if o.rights != nil && o.uid == uid {
			return o.id, o.identity.Subject, true
		}
	}
	return ID{}, "", false
}

func (x *Index) isAdmin(o *object) bool {
	return o != nil && o.identity.Admin && x.reason(o) == Accepted
}
