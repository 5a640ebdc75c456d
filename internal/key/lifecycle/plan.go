package lifecycle

import "time"

// Step is one thing to do.
type Step int

// Steps. All but Rest, Stall, Await, Look, Read and Try are exactly one write.
const (
	// Rest: everything that the spec asks for is done. Wake at Plan.WakeAt.
	Rest Step = iota
	// Stall: a person has to act first; Plan.Stall says why.
	Stall
	// Await: the API is about to issue the key. Wake at Plan.WakeAt in case it does not.
	Await
	// Look: read the Secret's metadata from the API server itself.
	Look
	// Read: read the Secret's content, and hold its key in hand.
	Read
	// Try: ask the API server whether it would accept a key in the Secret, without writing one.
	Try
	// Record: write status with Plan.Keys and, pending, a new key: generated, or the one in hand if Plan.Adopt.
	Record
	// Deliver: write the key in hand into the Secret.
	Deliver
	// Settle: write status with Plan.Keys; the pending key has become the current one.
	Settle
	// Drop: write status with Plan.Keys; keys that may no longer exist are gone.
	Drop
	// Rebind: write status without keys, with the present user as the owner. The next run issues a key.
	Rebind
	// Amend: write status with Plan.Keys; some keys, current or overlapping, end at another time than before.
	Amend
	// Note: write status with Plan.Losses before the Secret is repaired.
	Note
	// Remove: delete the Secret.
	Remove
	// RemoveStrays: delete the Secrets under names no longer asked for.
	RemoveStrays
	// Relabel: set the Secret's labels, its annotations and the entries beside the key, without touching the key.
	Relabel
	// Guard: add the finalizer that keeps the object until its Secret has been released.
	Guard
	// Release: remove the ownership of the Secret, which is to outlive the object.
	Release
	// Unguard: remove that finalizer.
	Unguard
)

var stepNames = [...]string{
	"Rest", "Stall", "Await", "Look", "Read", "Try", "Record", "Deliver", "Settle", "Drop", "Rebind", "Amend", "Note",
	"Remove", "RemoveStrays", "Relabel", "Guard", "Release", "Unguard",
}

func (s Step) String() string { return stepNames[s] }

// Ends reports whether nothing is left to do now.
func (s Step) Ends() bool { return s == Rest || s == Stall || s == Await }

// Cause is why a new key is recorded.
type Cause string

// Causes.
const (
	FirstIssue    Cause = "first issue"
	Requested     Cause = "rotation requested"
	Scheduled     Cause = "rotation scheduled"
	After         Cause = "rotation.after has come"
	SecretDeleted Cause = "its Secret was deleted"
	SecretChanged Cause = "its Secret was changed"
	SecretRenamed Cause = "another Secret or entry was asked for"
	RecordChanged Cause = "its record in the status was changed"
	Restored      Cause = "it was restored without its Secret"
	Adopted       Cause = "adopted from its Secret"
	Resumed       Cause = "an interrupted issue"
)

// StallCause is a problem that a person has to resolve.
type StallCause int

// Causes of a stall.
const (
	// NotStalled is the zero value.
	NotStalled StallCause = iota
	// ByBlock: Spec.Blocked.
	ByBlock
	// SecretConflict: the Secret to be written is not Keywright's.
	SecretConflict
	// TypeConflict: the Secret to be written was handed over by a person and has another type than the spec asks for.
	TypeConflict
	// InvalidKey: the Secret to be adopted holds no usable key.
	InvalidKey
	// KeyInUse: the Secret to be adopted holds a key that another object has.
	KeyInUse
	// RetiredKey: the Secret to be adopted holds a key that this object had before and has replaced since.
	RetiredKey
	// LostPepper: the keyring does not have the pepper of the current key.
	LostPepper
	// KeyTaken: an older object records the current key.
	KeyTaken
	// SecretFight: another writer changes what Keywright wrote into the Secret again and again.
	SecretFight
	// WriteRefused: the API server refuses a write, and will until a person acts.
	WriteRefused
	// AwaitingKey: the API has not issued the key yet.
	AwaitingKey
)

// Plan is a decision: one step, and what it needs.
type Plan struct {
	Step Step
	// Keys is what status.keys holds after Record (without the new one), Settle, Drop, Stall or Rest.
	Keys []Key
	// Cause of a Record.
	Cause Cause
	// ExpiresAt is the end of the key to record. Zero: none.
	ExpiresAt time.Time
	// Adopt: the key to record is the one in hand.
	Adopt bool
	// Losses, unless zero, is what the status holds after Record, Note or Stall.
	Losses Losses
	// Stall is what a person has to act on.
	Stall StallCause
	// Delivered: the Secret holds the current key. Set for Rest and Stall.
	Delivered bool
	// Lost, at Rest, is why the current key is accepted without a Secret: SecretDeleted, SecretChanged,
	// RecordChanged or Restored. Empty when the key is delivered.
	Lost Cause
	// Expired, at Rest, is true if the key has ended and no other is issued.
	Expired bool
	// NextRotation is when the schedule or Spec.RotateAfter rotates. Zero: never.
	NextRotation time.Time
	// WakeAt is when time alone changes the decision. Zero: never.
	WakeAt time.Time
}
