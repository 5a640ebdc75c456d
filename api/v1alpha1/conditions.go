package v1alpha1

// Types of conditions.
const (
	// ConditionReady is True when everything that the spec asks for is done.
	ConditionReady = "Ready"
	// ConditionActive is True while a key of the object would be accepted.
	ConditionActive = "Active"
	// ConditionStalled is True, and present, while a person has to act before work can continue.
	ConditionStalled = "Stalled"
	// ConditionReconciling is True, and present, while work is in progress or waits.
	ConditionReconciling = "Reconciling"
	// ConditionLastAdmin is True, and present, on the only active AdminUser.
	ConditionLastAdmin = "LastAdmin"
	// ConditionWithinBudget is present on APIKeys with budgets, and False while a budget that is used up has refused
	// requests or warned of them.
	ConditionWithinBudget = "WithinBudget"
)

// Reasons of Ready when True.
const (
	// ReasonIssued: the current key is in its Secret, or was returned by the API.
	ReasonIssued = "Issued"
	// ReasonSecretGone: the key works without a Secret, as reissuePolicy: Never specifies.
	ReasonSecretGone = "SecretGone"
	// ReasonDemoted: the user is not an admin and has no key. Also a reason of Active.
	ReasonDemoted = "Demoted"
)

// Reasons of Ready when True of an APIKey, and of Active.
const (
	// ReasonExpired: the key has reached its end. A reason of Ready if the end had passed before a key was issued.
	ReasonExpired = "Expired"
	// ReasonRevoked: spec.state is Revoked, or was.
	ReasonRevoked = "Revoked"
)

// Reasons of Ready False and Reconciling True.
const (
	// ReasonIssuing: the first key is on its way into its Secret. Also a reason of Active.
	ReasonIssuing = "Issuing"
	// ReasonRotating: a new key is on its way into its Secret; the old one is accepted meanwhile.
	ReasonRotating = "Rotating"
	// ReasonRevoking: refused keys or their Secret are being removed.
	ReasonRevoking = "Revoking"
	// ReasonAwaitingClaim: the first use of the claim link that was made with the object issues the key.
	// Also a reason of Active.
	ReasonAwaitingClaim = "AwaitingClaim"
	// ReasonRetrying: a write failed and is retried; the message says which.
	ReasonRetrying = "Retrying"
)

// Reasons of Stalled, and of Ready False at the same time. UsernameTaken, SecretConflict, KeyInUse, UnknownRole,
// OwnerGone and OwnerDenied, which another object may cure, are reasons of Reconciling for the first minute.
const (
	// ReasonUsernameTaken: another AdminUser holds this username, in this or another case. Also a reason of Active.
	ReasonUsernameTaken = "UsernameTaken"
	// ReasonSecretConflict: the Secret exists and does not belong to Keywright, or another writer takes the key out of it
	// again and again.
	ReasonSecretConflict = "SecretConflict"
	// ReasonWriteRefused: the API server refuses a write for a reason that does not pass by itself.
	ReasonWriteRefused = "WriteRefused"
	// ReasonForbiddenType: spec.secret.type is a type that a key's Secret may not have. The CRD refuses it, too.
	ReasonForbiddenType = "ForbiddenType"
	// ReasonInvalidKey: the Secret to be adopted holds no usable key.
	ReasonInvalidKey = "InvalidKey"
	// ReasonRetiredKey: the Secret to be adopted holds a key that this object had before and has replaced.
	ReasonRetiredKey = "RetiredKey"
	// ReasonKeyInUse: the key to be adopted, or the recorded one, belongs to another object.
	ReasonKeyInUse = "KeyInUse"
	// ReasonAwaitingKey: the key is delivered by the API, which has not issued one.
	ReasonAwaitingKey = "AwaitingKey"
	// ReasonPepperLost: the pepper is missing, broken or replaced; no key is issued until it is back.
	ReasonPepperLost = "PepperLost"
	// ReasonUnknownRole: an AccessRole that the APIKey names does not exist. Also a reason of Active.
	ReasonUnknownRole = "UnknownRole"
	// ReasonOwnerGone: the user that the APIKey belongs to is gone, or another user has the name now. Also a reason of
	// Active.
	ReasonOwnerGone = "OwnerGone"
	// ReasonOwnerDenied: the subject of the APIKey is a user who may not own keys. Also a reason of Active.
	ReasonOwnerDenied = "OwnerDenied"
)

// Reasons of Active that are not named above.
const (
	// ReasonAccepted: a key of this object is accepted.
	ReasonAccepted = "Accepted"
	// ReasonDisabled: spec.state is Disabled.
	ReasonDisabled = "Disabled"
	// ReasonOwnerDisabled: the AdminUser of the APIKey's subject is disabled.
	ReasonOwnerDisabled = "OwnerDisabled"
	// ReasonRevokedKey: the key was revoked before, in this or another object, and is refused for good. Also the reason of
	// an event, and of an entry of status.usage.refused.
	ReasonRevokedKey = "RevokedKey"
	// ReasonDeleted: the object is being deleted. Also a reason of Ready.
	ReasonDeleted = "Deleted"
	// ReasonNoKey: there is no key to accept.
	ReasonNoKey = "NoKey"
	// ReasonRefused: the server refuses the current key, and what it gives as the reason is not in CamelCase. A reason in
	// CamelCase becomes the reason of the condition.
	ReasonRefused = "Refused"
)

// Reasons of LastAdmin.
const (
	// ReasonOnlyActiveAdmin: no other AdminUser is active.
	ReasonOnlyActiveAdmin = "OnlyActiveAdmin"
	// ReasonKeptLastAdmin: the AdminUser was deleted together with all others. It is kept, and its key accepted, until
	// another admin is active. Also the reason of an event.
	ReasonKeptLastAdmin = "KeptLastAdmin"
)

// Reasons of WithinBudget.
const (
	// ReasonWithinBudget: no budget has refused requests or warned of them in its present period.
	ReasonWithinBudget = "WithinBudget"
	// ReasonBudgetExceeded: a budget is used up, and requests are refused until its period ends. Also the reason of an
	// event.
	ReasonBudgetExceeded = "BudgetExceeded"
	// ReasonBudgetWarning: a budget is used up that only warns: requests are accepted. Also the reason of an event.
	ReasonBudgetWarning = "BudgetWarning"
)
