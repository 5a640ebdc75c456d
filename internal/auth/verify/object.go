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
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// never is the end of a key without an end.
const never = math.MaxInt64

// object is a KeyObject in the index, laid out so that 100,000 of them fit in a small pod.
type object struct {
	// Every request reads the first fields, and they are close together: with many keys, each cache line that
	// has to be fetched costs as much as a step of the verification.

	identity Identity
	rights   *access.Rights
	// allUsable is one more than the Index.changes at which all scopes were found to be usable. 0: never.
	allUsable atomic.Uint64
	// limits are the budgets of the keys. It is nil for most objects.
	limits atomic.Pointer[limits]
	// reported is when a use of a key was last reported.
	reported reportTime
	// checked is a number of the last check for a revocation under another pepper: see Verifier.isRevokedElsewhere.
	checked atomic.Uint64
	// respelled is true if the user's AdminUser has another spelling of the name. Reading user on every request
	// would cost a cache line.
	respelled atomic.Bool

	id  ID
	uid string
	// created is the creation time in microseconds since 1970.
	created int64
	// userID is KeyObject.UserID. Objects of one user share the string.
	userID unique.Handle[string]
	keys   []heldKey
	// only is the memory of keys if there is at most one.
	only         [1]heldKey
	standing     Reason
	holdsKeys    bool
	ownsUsername bool
	disabled     bool
	staysIfLast  bool
	// endless is true if the spec sets no end: the default of the instance applies.
	endless bool

	// The remaining fields depend on other objects. Index.mu guards them.

	// outranked is true if another object holds the username.
	outranked bool
	// active is true if the object is counted as an active admin.
	active bool
	// slot is the object's place in the objectTable, and indexInUser the index of that slot in user.objects.
	slot        objectSlot
	indexInUser int32
	// user is the owner of the keys, if it limits them. It is set once, before any key can be found.
	user *user
	// lastUsed is KeyObject.LastUsed in microseconds since 1970.
	lastUsed int64
}

type heldKey struct {
	sum pepper.Sum
	// issued and expiresAt are in microseconds since 1970: nanoseconds end in 2262, and people write the year
	// 9999.
	issued, expiresAt int64
	// pepper is the pepper id of the digest. Keys that share a pepper share the string.
	pepper               unique.Handle[string]
	pending, overlapping bool
	// barred is true if the key is refused for good. Index.mu guards it.
	barred bool
}

func (k *heldKey) fingerprint() fingerprint { return fingerprintOf(&k.sum) }

func (k *heldKey) digest() pepper.Digest {
	return pepper.Digest{PepperID: k.pepper.Value(), Sum: k.sum}
}

func newObject(id ID, k KeyObject) *object {
	o := &object{
		identity:     k.Identity,
		id:           id,
		uid:          k.UID,
		created:      micro(k.Created),
		userID:       unique.Make(k.UserID),
		holdsKeys:    k.HoldsKeys,
		rights:       k.Rights,
		standing:     k.Standing,
		ownsUsername: k.OwnsUsername,
		disabled:     k.Disabled,
		staysIfLast:  k.StaysIfLast,
		lastUsed:     micro(k.LastUsed),
		endless:      k.ExpiresAt.IsZero() && k.TTL == 0,
	}
	o.shareStrings()
	o.keys = heldKeys(o.only[:0], &k)
	return o
}

// shareStrings moves the names of the object into one string. The garbage collector has to scan each string:
// with 100,000 keys that is more work than verifying them.
func (o *object) shareStrings() {
	i := &o.identity
	all := i.Subject + o.uid + o.id.Name
	rest := all[len(i.Subject):]
	if strings.HasSuffix(i.Subject, i.Username) {
		i.Username = all[len(i.Subject)-len(i.Username) : len(i.Subject)]
	}
	i.Subject, o.uid, o.id.Name = all[:len(i.Subject)], rest[:len(o.uid)], rest[len(o.uid):]
}

// heldKeys appends the keys of an object to held. It keeps the first of several keys with the same digest.
func heldKeys(held []heldKey, object *KeyObject) []heldKey {
	if len(object.Keys) > cap(held) {
		held = make([]heldKey, 0, len(object.Keys))
	}
	for i := range object.Keys {
		k := &object.Keys[i]
		f := fingerprintOf(&k.Digest.Sum)
		if slices.ContainsFunc(held, func(o heldKey) bool { return o.fingerprint() == f }) {
			continue
		}
		held = append(held, heldKey{
			sum:         k.Digest.Sum,
			issued:      micro(k.IssuedAt),
			expiresAt:   min(end(k.ExpiresAt), end(lifecycle.EndOf(k.IssuedAt, object.ExpiresAt, object.TTL))),
			pepper:      unique.Make(k.Digest.PepperID),
			pending:     k.Pending,
			overlapping: k.Overlapping,
		})
	}
	return held
}

// end returns the instant before which a key is accepted.
func end(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return micro(t)
}

// micro converts a time to microseconds since 1970, within bounds that allow for adding any duration.
func micro(t time.Time) int64 {
	const most int64 = math.MaxInt64 / 2 / 1_000_000
	return min(max(t.Unix(), -most), most)*1_000_000 + int64(t.Nanosecond()/1000)
}

// equals compares everything but the last use. An object's status changes for many reasons that do not
// concern the index.
func (o *object) equals(other *object) bool {
	return o != nil && o.identity == other.identity && o.uid == other.uid && o.created == other.created &&
		o.userID == other.userID && o.standing == other.standing && o.holdsKeys == other.holdsKeys &&
		o.ownsUsername == other.ownsUsername && o.disabled == other.disabled && o.staysIfLast == other.staysIfLast &&
		o.endless == other.endless && o.rights == other.rights && slices.Equal(o.keys, other.keys)
}

// inherit copies the time of the last report from prev, which may be nil or an earlier object of the same name.
func (o *object) inherit(prev *object) {
	if prev != nil && prev.uid == o.uid {
		o.reported.at.Store(prev.reported.at.Load())
	}
}

func (o *object) key(f fingerprint) *heldKey {
	for i := range o.keys {
		if o.keys[i].fingerprint() == f {
			return &o.keys[i]
		}
	}
	panic("the object does not hold this key")
}

// olderThan orders objects that record the same key.
func (o *object) olderThan(other *object) bool {
	if o.created != other.created {
		return o.created < other.created
	}
	return o.uid < other.uid
}

// claim returns the object's claim to its username.
func (o *object) claim() username.Claim {
	return username.Claim{HoldsKeys: o.holdsKeys, Created: time.UnixMicro(o.created).UTC(), UID: o.uid}
}

// reportTime is the time of the last report, in microseconds since 1970. 0: never.
type reportTime struct{ at atomic.Int64 }

// due reports whether another report is due, and if so, records it. A clock that was set back by an interval or
// more does not suppress reports.
func (r *reportTime) due(now time.Time, interval time.Duration) bool {
	last, at := r.at.Load(), now.UnixMicro()
	if since := at - last; since < interval.Microseconds() && -since < interval.Microseconds() {
		return false
	}
	return r.at.CompareAndSwap(last, at)
}
