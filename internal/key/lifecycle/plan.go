package lifecycle

import "time"

// Step is one thing to do.
type Step int

// Steps. All but Rest, Stall, Await, Look and Read are exactly one write.
const (
	// Rest: all that the spec asks is done. Wake at Plan.WakeAt.
	Rest Step = iota
	// Stall: a person has to act first; Plan.Stall says why.
	Stall
	// Await: the API is about to issue the key. Wake at Plan.WakeAt, should it not.
	Await
	// Look: read the Secret's metadata from the API server itself.
	Look
	// Read: read the Secret's content, and hold its key in hand.
	Read
	// Record: write status with Plan.Keys and, pending, a new key: minted, or the one in hand if Plan.Adopt.
	Record
	// Deliver: write the key in hand into the Secret.
	Deliver
	// Settle: write status with Plan.Keys; the pending key has become the current one.
	Settle
	// Drop: write status with Plan.Keys; keys that may no longer exist are gone.
	Drop
	// Amend: write status with Plan.Keys; the current key ends at another time than before.
	Amend
	// Remove: delete the Secret.
	Remove
	// RemoveStrays: delete the Secrets under names no longer asked for.
	RemoveStrays
	// Relabel: set the Secret's labels and annotations without touching its data.
	Relabel
	// Guard: have a finalizer keep the object until its Secret has been let go.
	Guard
	// Release: let go of the Secret, which is to outlive the object.
	Release
	// Unguard: take that finalizer away.
	Unguard
)

var stepNames = [...]string{
	"Rest", "Stall", "Await", "Look", "Read", "Record", "Deliver", "Settle", "Drop", "Amend", "Remove", "RemoveStrays", "Relabel",
	"Guard", "Release", "Unguard",
}

func (s Step) String() string { return stepNames[s] }

// Ends says that nothing is left to do now.
func (s Step) Ends() bool { return s == Rest || s == Stall || s == Await }

// Cause is why a new key is recorded.
type Cause string

// Causes.
const (
	FirstIssue    Cause = "first issue"
	Requested     Cause = "rotation requested"
	Scheduled     Cause = "rotation scheduled"
	SecretDeleted Cause = "its Secret was deleted"
	SecretChanged Cause = "its Secret was changed"
	SecretRenamed Cause = "another Secret or entry was asked for"
	RecordChanged Cause = "its record in the status was changed"
	Restored      Cause = "it was restored without its Secret"
	Adopted       Cause = "adopted from its Secret"
	Resumed       Cause = "an interrupted issue"
)

// StallCause is what a person has to do something about.
type StallCause int

// Causes of a stall.
const (
	// NotStalled is the zero value.
	NotStalled StallCause = iota
	// ByBlock: Spec.Blocked.
	ByBlock
	// SecretConflict: the Secret to be written is somebody else's.
	SecretConflict
	// InvalidKey: the Secret to be adopted holds no usable key.
	InvalidKey
	// KeyInUse: the Secret to be adopted holds a key that another object has.
	KeyInUse
	// RetiredKey: the Secret to be adopted holds a key that this object had before and has replaced since.
	RetiredKey
	// LostPepper: the current key was digested with a pepper that is not at hand.
	LostPepper
	// KeyTaken: an older object has the current key on record.
	KeyTaken
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
	// NotAfter is the end of the key to record. Zero: none.
	NotAfter time.Time
	// Adopt: the key to record is the one in hand.
	Adopt bool
	// Stall says what a person has to act on.
	Stall StallCause
	// Delivered: the Secret holds the current key. Meant for Rest and Stall.
	Delivered bool
	// Lost says, at Rest, how it came that the current key works without a Secret: SecretDeleted, SecretChanged,
	// RecordChanged or Restored. Empty when the key is delivered.
	Lost Cause
	// Expired says, at Rest, that the end of the key has come and that no other is issued.
	Expired bool
	// NextRotation is when the schedule rotates. Zero: no schedule.
	NextRotation time.Time
	// WakeAt is the earliest instant at which the decision changes by itself. Zero: never.
	WakeAt time.Time
}
