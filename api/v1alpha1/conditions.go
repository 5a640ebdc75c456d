package v1alpha1

// Types of conditions.
const (
	// ConditionReady is True when the controller has done all that the spec asks.
	ConditionReady = "Ready"
	// ConditionActive is True while a key of the object would be accepted.
	ConditionActive = "Active"
	// ConditionStalled is True, and present, while a person has to act before anything goes on.
	ConditionStalled = "Stalled"
	// ConditionReconciling is True, and present, while the controller has work left to do.
	ConditionReconciling = "Reconciling"
	// ConditionLastAdmin is True, and present, on the one AdminUser that is active when no other is.
	ConditionLastAdmin = "LastAdmin"
)

// Reasons of Ready when True.
const (
	// ReasonIssued: the current key is in its Secret, or was returned by the API.
	ReasonIssued = "Issued"
	// ReasonSecretGone: the key works but no Secret holds it any more, as whenDeleted: Keep asks.
	ReasonSecretGone = "SecretGone"
	// ReasonDemoted: the user is no admin and has no key. Also a reason of Active.
	ReasonDemoted = "Demoted"
)

// Reasons of Ready when True of an APIKey, and of Active.
const (
	// ReasonExpired: the key has come to its end. Ready has it where no key was issued because the end had come before.
	ReasonExpired = "Expired"
	// ReasonRevoked: spec.revoked is true.
	ReasonRevoked = "Revoked"
)

// Reasons of Ready False and Reconciling True.
const (
	// ReasonIssuing: the first key is on its way into its Secret. Also a reason of Active.
	ReasonIssuing = "Issuing"
	// ReasonRotating: a new key is on its way into its Secret; the old one is accepted meanwhile.
	ReasonRotating = "Rotating"
	// ReasonRevoking: keys or a Secret that may no longer exist are being removed.
	ReasonRevoking = "Revoking"
	// ReasonRetrying: a write failed and is tried again; the message says which.
	ReasonRetrying = "Retrying"
)

// Reasons of Stalled, and of Ready False at the same time.
const (
	// ReasonUsernameTaken: another AdminUser holds this username, in this or another case. Also a reason of Active.
	ReasonUsernameTaken = "UsernameTaken"
	// ReasonSecretConflict: the Secret exists and is not Keywright's.
	ReasonSecretConflict = "SecretConflict"
	// ReasonInvalidKey: the Secret to be adopted holds no usable key.
	ReasonInvalidKey = "InvalidKey"
	// ReasonRetiredKey: the Secret to be adopted holds a key that this object had before and has replaced.
	ReasonRetiredKey = "RetiredKey"
	// ReasonKeyInUse: the key to be adopted, or the one on record, is another object's already.
	ReasonKeyInUse = "KeyInUse"
	// ReasonAwaitingKey: the key is delivered by the API, which has not issued one.
	ReasonAwaitingKey = "AwaitingKey"
	// ReasonPepperLost: the pepper is gone or broken, or another one took its place; nothing is issued until it is back.
	ReasonPepperLost = "PepperLost"
	// ReasonUnknownRole: an AccessRole that the APIKey names does not exist.
	ReasonUnknownRole = "UnknownRole"
	// ReasonOwnerDenied: the user the APIKey speaks as may not own keys. Also a reason of Active.
	ReasonOwnerDenied = "OwnerDenied"
)

// Reasons of Active that are not named above.
const (
	// ReasonAccepted: a key of this object is accepted.
	ReasonAccepted = "Accepted"
	// ReasonDisabled: spec.enabled is false.
	ReasonDisabled = "Disabled"
	// ReasonOwnerDisabled: the AdminUser that the APIKey speaks as is disabled.
	ReasonOwnerDisabled = "OwnerDisabled"
	// ReasonDeleted: the object is being deleted. Also a reason of Ready.
	ReasonDeleted = "Deleted"
	// ReasonNoKey: there is no key to accept.
	ReasonNoKey = "NoKey"
)

// Reasons of LastAdmin.
const (
	// ReasonOnlyActiveAdmin: no other AdminUser is active.
	ReasonOnlyActiveAdmin = "OnlyActiveAdmin"
	// ReasonKeptLastAdmin: the AdminUser was deleted at the same time as all others. It is kept, and its key accepted,
	// until another admin is active. Also the reason of an event.
	ReasonKeptLastAdmin = "KeptLastAdmin"
)
