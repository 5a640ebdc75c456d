package verify

import (
	"math"
	"slices"
	"time"
	"unique"

	"keywright.dev/keywright/internal/username"
)

// never is the NotAfter of a key that has none.
const never = math.MaxInt64

// object is a Holder as the index keeps it: 100,000 of them have to fit in a small pod.
type object struct {
	identity     Identity
	claim        username.Claim
	keys         []heldKey
	standing     Reason
	ownsUsername bool
	// outranked says that another object holds the username. It belongs to whoever holds Index.mu.
	outranked bool
}

type heldKey struct {
	fingerprint fingerprint
	// notAfter is in microseconds since 1970: nanoseconds end in 2262, and a person may well write the year 9999.
	notAfter int64
	// pepper is the id of the pepper of its digest: one string for all keys that share it.
	pepper unique.Handle[string]
}

// says that other says the same. A status changes for many reasons that are none of the index's business.
func (o *object) says(other *object) bool {
	return o != nil && o.identity == other.identity && o.claim == other.claim && o.standing == other.standing &&
		o.ownsUsername == other.ownsUsername && slices.Equal(o.keys, other.keys)
}

func newObject(h Holder) *object {
	return &object{
		identity:     h.Identity,
		claim:        username.Claim{HoldsKeys: h.HoldsKeys, Created: h.Created.UTC(), UID: h.UID},
		keys:         heldKeys(h.Keys),
		standing:     h.Standing,
		ownsUsername: h.OwnsUsername,
	}
}

// heldKeys takes the first of several keys with the same digest.
func heldKeys(keys []Key) []heldKey {
	held := make([]heldKey, 0, len(keys))
	for _, k := range keys {
		f := fingerprintOf(&k.Digest.Sum)
		if !slices.ContainsFunc(held, func(o heldKey) bool { return o.fingerprint == f }) {
			held = append(held, heldKey{fingerprint: f, notAfter: notAfter(k.NotAfter), pepper: unique.Make(k.Digest.PepperID)})
		}
	}
	return held
}

func notAfter(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return max(0, t.UnixMicro())
}

func (o *object) reason() Reason {
	if o.standing == Accepted && o.outranked {
		return UsernameTaken
	}
	return o.standing
}

func (o *object) entry(k heldKey) entry {
	until := k.notAfter
	if why := o.reason(); why != Accepted {
		until = ^int64(why)
	}
	return entry{owner: o, until: until}
}

func (o *object) key(f fingerprint) heldKey {
	i := slices.IndexFunc(o.keys, func(k heldKey) bool { return k.fingerprint == f })
	return o.keys[i]
}

// olderThan orders objects that hold the same key.
func (o *object) olderThan(other *object) bool {
	if !o.claim.Created.Equal(other.claim.Created) {
		return o.claim.Created.Before(other.claim.Created)
	}
	return o.claim.UID < other.claim.UID
}
