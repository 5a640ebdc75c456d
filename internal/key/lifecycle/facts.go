package lifecycle

import "time"

// Key is one entry of status.keys. Their order has no meaning.
type Key struct {
	ID       string
	Prefix   string
	Digest   string
	IssuedAt time.Time
	// FirstIssuedAt is when an adopted key was first issued, if an earlier object had it. Zero: at IssuedAt.
	FirstIssuedAt time.Time
	// ExpiresAt is the instant from which the key is refused. Zero: none.
	ExpiresAt time.Time
	State     State
	// Dead is why the key is refused although it is recorded. Empty: it is not dead.
	Dead Death
	// Shared: a younger object records the same key.
	Shared bool
	// Refused: the server refuses the key for a reason of its own, such as an earlier revocation.
	Refused bool
}

// State is the place of a key in the life of its object. The zero value is not valid.
type State string

// States.
const (
	// StatePending: the digest is recorded and the plaintext is not known to be in the Secret yet.
	StatePending State = "Pending"
	// StateCurrent: the key is the one that its user should use. An object has at most one.
	StateCurrent State = "Current"
	// StateOverlapping: the key has a successor and is accepted until its end.
	StateOverlapping State = "Overlapping"
)

// Death is why a recorded key is refused.
type Death string

// Deaths.
const (
	// PepperGone: the keyring does not have the pepper of the digest.
	PepperGone Death = "PepperGone"
	// Taken: an older object records the same key.
	Taken Death = "Taken"
)

// Facts is everything a decision depends on.
type Facts struct {
	Now    time.Time
	Spec   Spec
	Status Status
	Secret Secret
	// Refused: the API server has refused a write of this run for a reason that does not pass by itself.
	Refused bool
	// InHand is the id of the key whose plaintext the caller holds in memory. Empty: none.
	InHand string
}

// Spec is what the object asks for.
type Spec struct {
	// Revoked: no key may exist, as for a demoted user.
	Revoked bool
	// Deleted: the object is being deleted. No key may exist, and a Secret that is to outlive it is released.
	Deleted bool
	// Blocked: nothing is issued or delivered for a reason outside this package, as for a username that is taken.
	// Keys that exist stay as they are, and none of them gets a later end, because the facts that set it may be missing.
	Blocked bool
	// Rebind: the keys belong to a user who is gone, and a requested rotation ends them and issues one for the
	// present user. Otherwise Blocked is true.
	Rebind bool
	// ByAPI: the admin API issues the key and no Secret is written.
	ByAPI bool
	// AwaitUntil is until when the API is expected to issue the key. Zero: it is not expected to.
	AwaitUntil time.Time
	// Reissue: a key whose Secret was deleted or changed is replaced. Otherwise it stays accepted without a Secret.
	Reissue bool
	// Every is the time between scheduled rotations. 0: no schedule.
	Every time.Duration
	// RotateAfter is the instant from which a key that was issued before it is replaced. Zero: none.
	RotateAfter time.Time
	// Overlap is how long the old keys are accepted after the issue of the current one.
	Overlap time.Duration
	// OverlapPerRotation: the API chooses the overlap of each rotation, and Overlap is only its default.
	OverlapPerRotation bool
	// ExpiresAt is when every key of the object ends. Zero: never.
	ExpiresAt time.Time
	// TTL is how long after its issue a key ends, MaxTTL the shortest maxTTL of its roles. 0: no such end.
	TTL, MaxTTL time.Duration
	// MaxTTLFrom is the name of the role that sets MaxTTL.
	MaxTTLFrom string
	// Limits are those of the instance. They are zero for an AdminUser.
	Limits Limits
	// RotateRequest asks for one rotation when it differs from the last request acted on. Empty: no request.
	RotateRequest string
	// SecretName is the name of the Secret asked for.
	SecretName string
	// Observed: the status describes this spec already.
	Observed bool
	// Orphan: the Secret stays when the object is deleted.
	Orphan bool
}

// Status is what the object's status records.
type Status struct {
	Keys []Key
	// SecretName is the Secret that held the current key when it was last seen. Empty: none did.
	SecretName string
	// LastRotateRequest is the last request acted on.
	LastRotateRequest string
	// AdoptedKeyIDs are the ids of the keys last adopted from a Secret.
	AdoptedKeyIDs []string
	// Restored: the current key is older than the object, so both came back from a backup.
	Restored bool
	// Refused: the last run ended with such a refusal. No key is recorded until the API server accepts its Secret.
	Refused bool
	// Losses of what Keywright wrote into the Secret. Fighting: the object is stalled for the last of them.
	Losses   Losses
	Fighting bool
	// Guarded: a finalizer keeps the object until its Secret has been released.
	Guarded bool
}

// Owner is the owner of a Secret.
type Owner int

// Owners of the Secret that the spec names.
const (
	// NoSecret: the Secret does not exist.
	NoSecret Owner = iota
	// Own: it was written for this object.
	Own
	// Leftover: it was written for a deleted object of the same kind and name.
	Leftover
	// Foreign: it is not Keywright's and must not be touched.
	Foreign
)

// Secret is what is known of the Secret that the spec names.
type Secret struct {
	Owner Owner
	// Unowned: it has no controller, as one that a backup tool restored without its owner.
	Unowned bool
	// Noted: this run has recorded that another writer changed it.
	Noted bool
	// Live: read from the API server in this run, not from the cache.
	Live bool
	// KeyID is the id of the key that Keywright last wrote into it.
	KeyID string
	// Intact: no other writer has changed it since.
	Intact bool
	// Adopt: a person has marked it for adoption.
	Adopt bool
	// Misplaced: the key is under another entry than the spec now asks for.
	Misplaced bool
	// Mistyped: it has another type than the spec now asks for. The type of a Secret can't be changed.
	Mistyped bool
	// Outdated: its labels, its annotations or the entries beside the key are not those the spec asks for.
	Outdated bool
	// Content is the key in it, once read. Nil: not read.
	Content *Content
	// ChangedBy is the field manager that changed the key, or another part of Keywright's, last. Empty: not known, as
	// always for a Secret from the cache.
	ChangedBy string
	// Written: Keywright wrote it, or a part of it. A copy that a person made of a Secret with its owner is not.
	Written bool
	// Accepted: the API server would accept a key in it.
	Accepted bool
	// Strays: other Secrets are recorded as written for this object, under names the spec no longer asks for.
	Strays bool
}

// Content is the content of a Secret that was read.
type Content struct {
	// Key is the digested key. Zero: there is no usable one.
	Key Key
	// Usable is false when the Secret holds no key or one that breaks the rules of a key.
	Usable bool
	// InUse: another object has this key.
	InUse bool
}

// may reports whether the Secret may be written: it belongs to this object, or is marked for adoption.
func (s Secret) may() bool {
	return s.Owner == NoSecret || s.Owner == Own || s.Adopt
}

// isLeftover reports whether the Secret is to be deleted with the former object that Keywright wrote it for.
func (s Secret) isLeftover() bool { return s.Owner == Leftover && s.Written && !s.Adopt }

// holds reports whether the Secret holds this key and no other writer has changed it.
func (s Secret) holds(id string) bool {
	return s.Owner == Own && s.Intact && !s.elsewhere() && s.KeyID == id
}

// elsewhere reports whether the spec asks for the key in another entry or in a Secret of another type.
func (s Secret) elsewhere() bool { return s.Misplaced || s.Mistyped }
