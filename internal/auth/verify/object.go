package verify

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unique"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
)

// never is the end of a key that has none.
const never = math.MaxInt64

// object is a Holder as the index keeps it: 100,000 of them have to fit in a small pod.
type object struct {
	// What every request asks for comes first, and together: with many keys, each place in memory that has to be fetched
	// costs as much as a step of the verification.

	identity Identity
	given    *access.Given
	// allUsable is, one more than it, the Index.changes at which all scopes were found to be usable. 0: never.
	allUsable atomic.Uint64
	// told is when a use of a key was told of last.
	told told

	id    ID
	claim username.Claim
	keys  []heldKey
	// only is where keys are when there is no more than one.
	only         [1]heldKey
	standing     Reason
	ownsUsername bool
	disabled     bool
	staysIfLast  bool

	// What follows depends on other objects and belongs to whoever holds Index.mu.

	// outranked says that another object holds the username.
	outranked bool
	// active says that it is counted among the admins.
	active bool
	// place is where it is on the shelf, and seat where that stands among the objects of the user.
	place place
	seat  int32
	// user is whom the keys speak for, when they are limited by it. It is set once, before any key can be found.
	user *user
	// lastUsed is what the object tells of, in microseconds since 1970.
	lastUsed int64
}

type heldKey struct {
	sum pepper.Sum
	// issued and notAfter are in microseconds since 1970: nanoseconds end in 2262, and a person may well write the
	// year 9999.
	issued, notAfter int64
	// pepper is the id of the pepper of its digest: one string for all keys that share it.
	pepper   unique.Handle[string]
	overlaps bool
}

func (k *heldKey) fingerprint() fingerprint { return fingerprintOf(&k.sum) }

func (k *heldKey) digest() pepper.Digest {
	return pepper.Digest{PepperID: k.pepper.Value(), Sum: k.sum}
}

// says that other says the same, but for the last use. A status changes for many reasons that are none of the index's
// business.
func (o *object) says(other *object) bool {
	return o != nil && o.identity == other.identity && o.claim == other.claim && o.standing == other.standing &&
		o.ownsUsername == other.ownsUsername && o.disabled == other.disabled && o.staysIfLast == other.staysIfLast &&
		o.given == other.given && slices.Equal(o.keys, other.keys)
}

func newObject(id ID, h Holder) *object {
	o := &object{
		identity:     h.Identity,
		id:           id,
		claim:        username.Claim{HoldsKeys: h.HoldsKeys, Created: h.Created.UTC(), UID: h.UID},
		given:        h.Given,
		standing:     h.Standing,
		ownsUsername: h.OwnsUsername,
		disabled:     h.Disabled,
		staysIfLast:  h.StaysIfLast,
		lastUsed:     micro(h.LastUsed),
	}
	o.gather()
	o.keys = heldKeys(o.only[:0], &h)
	return o
}

// gather puts what the object is called into one place in memory. The fewer there are, the less the garbage collector has
// to look at: with 100,000 keys that is more work than to verify them.
func (o *object) gather() {
	i := &o.identity
	all := i.Subject + o.claim.UID + o.id.Name
	rest := all[len(i.Subject):]
	if strings.HasSuffix(i.Subject, i.Username) {
		i.Username = all[len(i.Subject)-len(i.Username) : len(i.Subject)]
	}
	i.Subject, o.claim.UID, o.id.Name = all[:len(i.Subject)], rest[:len(o.claim.UID)], rest[len(o.claim.UID):]
}

// follows takes over from prev what is known of the keys' use. prev may be nil, or was another object of the same name.
func (o *object) follows(prev *object) {
	if prev != nil && prev.claim.UID == o.claim.UID {
		o.told.at.Store(prev.told.at.Load())
	}
}

// heldKeys takes the first of several keys with the same digest. They are in held where there is room.
func heldKeys(held []heldKey, h *Holder) []heldKey {
	if len(h.Keys) > cap(held) {
		held = make([]heldKey, 0, len(h.Keys))
	}
	for i := range h.Keys {
		k := &h.Keys[i]
		if f := fingerprintOf(&k.Digest.Sum); slices.ContainsFunc(held, func(o heldKey) bool { return o.fingerprint() == f }) {
			continue
		}
		issued := micro(k.IssuedAt)
		held = append(held, heldKey{
			sum:      k.Digest.Sum,
			issued:   issued,
			notAfter: min(end(k.NotAfter), end(h.ExpiresAt), after(issued, h.TTL)),
			pepper:   unique.Make(k.Digest.PepperID),
			overlaps: k.Overlaps,
		})
	}
	return held
}

// end is an instant before which a key is accepted.
func end(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return micro(t)
}

// after is so long after an issue. A key of which nobody knows when it was issued has long come to its end.
func after(issued int64, ttl time.Duration) int64 {
	if ttl <= 0 {
		return never
	}
	return issued + ttl.Microseconds()
}

// micro stays within years to which any duration can be added.
func micro(t time.Time) int64 {
	const most int64 = math.MaxInt64 / 2 / 1_000_000
	return min(max(t.Unix(), -most), most)*1_000_000 + int64(t.Nanosecond()/1000)
}

func (o *object) key(f fingerprint) *heldKey {
	for i := range o.keys {
		if o.keys[i].fingerprint() == f {
			return &o.keys[i]
		}
	}
	panic("an object was asked for a key that it does not hold")
}

// olderThan orders objects that hold the same key.
func (o *object) olderThan(other *object) bool {
	if !o.claim.Created.Equal(other.claim.Created) {
		return o.claim.Created.Before(other.claim.Created)
	}
	return o.claim.UID < other.claim.UID
}
