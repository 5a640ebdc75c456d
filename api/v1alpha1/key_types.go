package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Delivery is how the plaintext of a key reaches its user. More values may be added.
// +kubebuilder:validation:Enum=Secret;Response
type Delivery string

const (
	// DeliverySecret: the operator issues the key and writes the plaintext into a Secret.
	DeliverySecret Delivery = "Secret"
	// DeliveryResponse: the admin API issues the key and returns the plaintext in its reply only.
	DeliveryResponse Delivery = "Response"
)

// ReissuePolicy is what happens to a key whose Secret is deleted or changed.
// +kubebuilder:validation:Enum=IfLost;Never
type ReissuePolicy string

const (
	// ReissueIfLost: a new key is issued at once and the old one refused.
	ReissueIfLost ReissuePolicy = "IfLost"
	// ReissueNever: the key stays valid and no Secret is written until the next rotation.
	ReissueNever ReissuePolicy = "Never"
)

// DeletionPolicy is what happens to the Secret of a key when its object is deleted.
// +kubebuilder:validation:Enum=Delete;Orphan
type DeletionPolicy string

const (
	// DeletionDelete: the Secret is deleted too.
	DeletionDelete DeletionPolicy = "Delete"
	// DeletionOrphan: the Secret stays, without an owner. The key in it is refused all the same.
	DeletionOrphan DeletionPolicy = "Orphan"
)

// State is whether the keys of an object are accepted. An AdminUser is Active or Disabled, an APIKey may also be
// Revoked.
type State string

const (
	// StateActive: keys are accepted.
	StateActive State = "Active"
	// StateDisabled: every key is refused at once. Back to Active, the same keys work again.
	StateDisabled State = "Disabled"
	// StateRevoked: every key is refused at once and for good. The object stays as the record.
	StateRevoked State = "Revoked"
)

// SecretTemplate describes the Secret that a key is delivered in.
type SecretTemplate struct {
	// name of the Secret, in the object's namespace. A change issues a new key under the new name. Example: ci-key.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a Secret: lower case letters, digits, '-' and '.'"
	// +kubebuilder:validation:XValidation:rule="self != 'keywright-pepper'",message="Secret keywright-pepper is Keywright's own and can't hold a key"
	Name string `json:"name,omitempty"`

	// dataKey is the name of the entry that holds the plaintext. A change issues a new key under the new name.
	// Example: token.
	// +optional
	// +default="key"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'",message="must be the name of a Secret's entry: letters, digits, '-', '_' and '.'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['username', 'subject'])",message="entries username and subject say whom the key speaks as"
	DataKey string `json:"dataKey,omitempty"`

	// labels to set on the Secret. Reserved: names under keywright.dev/, and those of Kubernetes itself. Of the
	// recommended labels, app.kubernetes.io/managed-by is Keywright's and the others are free. Example: team: payments.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('keywright.dev/') && k != 'app.kubernetes.io/managed-by')",message="labels under keywright.dev/ and app.kubernetes.io/managed-by are Keywright's own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.startsWith('app.kubernetes.io/') || !k.matches('^([^/]*[.])?(kubernetes|k8s)[.]io/'))",message="labels under kubernetes.io/ and k8s.io/ are Kubernetes' own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && !format.qualifiedName().validate(k).hasValue() && !format.labelValue().validate(self[k]).hasValue())",message="must be valid label names and values"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// annotations to set on the Secret. Names under keywright.dev/, kubernetes.io/ and k8s.io/ are reserved.
	// Example: example.com/contact: payments-team.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('keywright.dev/'))",message="annotations under keywright.dev/ are Keywright's own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.matches('^([^/]*[.])?(kubernetes|k8s)[.]io/'))",message="annotations under kubernetes.io/ and k8s.io/ are Kubernetes' own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && !format.qualifiedName().validate(k).hasValue())",message="must be valid annotation names"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// deletionPolicy decides what happens to the Secret when the object is deleted: Delete, or Orphan to keep it without
	// an owner. The key in it is refused either way.
	// +optional
	// +default="Delete"
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	RemovedSecretFields `json:",inline"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
type LabelValue string

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// Rotation decides when a key is replaced.
// +kubebuilder:validation:XValidation:rule="!has(self.every) || !has(self.overlap) || [self.every, self.overlap].exists(d, size(d) == 0 || !d.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$')) || duration(self.overlap) < duration(self.every)",message="must be shorter than every",fieldPath=".overlap"
type Rotation struct {
	// every is the time from one issue to the next, at least 1m. Without it there is no schedule. Example: 24h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) >= duration('1m')",message="must be at least 1m, in hours, minutes and seconds of up to 5 digits such as 90m, 24h or 2160h"
	Every *Duration `json:"every,omitempty"`

	// overlap is how long the old key is accepted after the issue of the new one. It must be shorter than every.
	// Example: 1h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$')",message="must be in hours, minutes and seconds of up to 5 digits such as 0s, 90s, 1h30m or 24h"
	Overlap *Duration `json:"overlap,omitempty"`

	// after is an instant. Once it has come, a key that was issued before it is replaced, once. Use it to ask for a new
	// key in Git. Example: 2030-01-31T12:00:00Z.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	After *metav1.Time `json:"after,omitempty"`
}

// Duration is a length of time in hours, minutes and seconds: 90s, 1h30m, 2160h. It is a subset of GEP-2257, the
// duration format of the Gateway API.
// +kubebuilder:validation:MaxLength=18
type Duration string

// Every time in a status has its own rule, because format date-time accepts values that Go cannot read, such as
// 2030-01-31t12:00:00z: one such object would break the list of the whole kind for every client. CEL reads times as
// Go does, so any comparison checks the format.

// KeyState is the place of a recorded key in the life of its object.
// +kubebuilder:validation:Enum=Pending;Current;Overlapping
type KeyState string

const (
	// KeyPending: the digest is recorded and the plaintext is on its way into the Secret.
	KeyPending KeyState = "Pending"
	// KeyCurrent: the key is the one that its user should use.
	KeyCurrent KeyState = "Current"
	// KeyOverlapping: the key has a successor and is accepted until its end.
	KeyOverlapping KeyState = "Overlapping"
)

// KeyStatus is one key that is accepted, or about to be. It contains neither the key nor a form that reveals it.
type KeyStatus struct {
	// id is the first 16 hexadecimal characters of the digest: the name of the key in logs, metrics and headers.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	ID string `json:"id,omitempty"`

	// prefix is the first 12 characters of a generated key, or the first 4 of a brought one, by which people recognize
	// the key.
	// +optional
	// +kubebuilder:validation:MaxLength=12
	Prefix string `json:"prefix,omitempty"`

	// digest is hmac-sha256:<pepper id>:<hex> of the key, or sha256:<hex> of an imported key until its first rotation.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// state is Pending until the plaintext is in the Secret, then Current, and Overlapping once a successor is current.
	// +required
	State KeyState `json:"state,omitempty"`

	// issuedAt is when the key was generated or adopted.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	IssuedAt metav1.Time `json:"issuedAt,omitzero"`

	// firstIssuedAt is when an adopted key was first issued, if an earlier object had it. The lifetime of the key counts
	// from then.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	FirstIssuedAt *metav1.Time `json:"firstIssuedAt,omitempty"`

	// expiresAt is the instant from which the key is refused: the earliest of the object's expiresAt, its ttl, the
	// maxTTL of its roles and the end of its overlap. Unset: the key has no end.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`
}

// Effective shows the defaults and limits that Keywright applied to what the spec asks for.
type Effective struct {
	// ttl is the lifetime of a key that is issued now, counted from its issue. Unset: no ttl applies.
	// +optional
	TTL Duration `json:"ttl,omitempty"`

	// ttlFrom is where ttl comes from: spec.ttl, AccessRole/<name> for a role whose maxTTL is shorter, or a setting of the
	// instance: DEFAULT_TTL, or MAX_TTL if that is shorter.
	// +optional
	// +kubebuilder:validation:MaxLength=320
	TTLFrom string `json:"ttlFrom,omitempty"`

	// overlap is how long an old key is accepted after the issue of a new one.
	// +optional
	Overlap Duration `json:"overlap,omitempty"`
}

// RefusedKey is a key that the server refuses for a reason of its own.
type RefusedKey struct {
	// id of the key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	ID string `json:"id,omitempty"`

	// reason why it is refused, in CamelCase.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Reason string `json:"reason,omitempty"`
}

// Usage is what the server observes. The server writes nothing else into a status, except keys with delivery Response.
type Usage struct {
	// lastUsedAt is when a key of this object was last accepted, to about an hour, and less exactly where many keys are
	// in use.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	LastUsedAt *metav1.Time `json:"lastUsedAt,omitempty"`

	// refused are keys that the server refuses for a reason of its own. The operator reports the reason in condition
	// Active.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=32
	Refused []RefusedKey `json:"refused,omitempty"`

	// budgets of an APIKey that were used up when a request came with its key. The operator reports those whose period has
	// not ended in condition WithinBudget.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=from
	// +kubebuilder:validation:MaxItems=36
	Budgets []UsedUpBudget `json:"budgets,omitempty"`
}

// UsedUpBudget is a budget that refused requests, or warned of them.
type UsedUpBudget struct {
	// name of the budget.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// from is where the budget comes from: spec.budgets, or AccessRole/<name>.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=320
	From string `json:"from,omitempty"`

	// limit is the amount and the period, such as 12.5 USD per day. Once the budget has another, the entry is obsolete.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Limit string `json:"limit,omitempty"`

	// action is what happens to requests. Deny: they are refused. Warn: they are accepted.
	// +required
	Action BudgetAction `json:"action,omitempty"`

	// since is when a request was first refused or warned of in this period.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	Since metav1.Time `json:"since,omitzero"`

	// resetsAt is when the period ends. From then on the entry is obsolete.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	ResetsAt metav1.Time `json:"resetsAt,omitzero"`
}

// SecretLosses counts how often one writer changed what Keywright wrote into the Secret, each time soon after Keywright
// had restored it.
type SecretLosses struct {
	// fieldManager is the field manager of the writer. Unset: not known, as for a deletion.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	FieldManager string `json:"fieldManager,omitempty"`

	// keyID is the id of the key that was lost last. Unset: the key stayed.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	KeyID string `json:"keyID,omitempty"`

	// lastAt is when the last change was seen.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	LastAt metav1.Time `json:"lastAt,omitzero"`

	// count is the number of changes. From the third on Keywright pauses before it writes the Secret again.
	// +required
	// +kubebuilder:validation:Minimum=1
	Count int32 `json:"count,omitempty"`
}

// KeyHolderStatus is the part of the status that all key objects have.
type KeyHolderStatus struct {
	// conditions: Ready and Active; Stalled and Reconciling while they are true; LastAdmin on the last active AdminUser;
	// WithinBudget on APIKeys with budgets.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp('0001-01-01T00:00:00Z'))",message="lastTransitionTime must be a time such as 2030-01-31T12:00:00Z"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// keys are the current key, a pending one, and overlapping ones. Their order has no meaning.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.filter(k, has(k.state) && k.state == 'Current').size() <= 1",message="at most one key may be Current"
	Keys []KeyStatus `json:"keys,omitempty"`

	// secretName is the Secret that holds the current key. Empty if none does.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// otherSecrets are the names of further Secrets that Keywright wrote a key into, or was about to. Once the key is in
	// the Secret that the spec names, Keywright deletes them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	OtherSecrets []string `json:"otherSecrets,omitempty"`

	// secretLosses counts how often the same writer changed the Secret. It is unset until that happens.
	// +optional
	SecretLosses *SecretLosses `json:"secretLosses,omitempty"`

	// nextRotationAt is when rotation.every or rotation.after replaces the key next.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	NextRotationAt *metav1.Time `json:"nextRotationAt,omitempty"`

	// lastRotateRequest is the last value of annotation keywright.dev/rotate that was acted on.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LastRotateRequest string `json:"lastRotateRequest,omitempty"`

	// adoptedKeyIDs are the ids of the last keys adopted from a Secret, the latest last. Once rotated away, they are not
	// adopted again.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=16
	AdoptedKeyIDs []string `json:"adoptedKeyIDs,omitempty"`

	// revokedDigests are the digests of the last keys that were revoked, or whose user was demoted, the latest last.
	// Servers refuse these keys for good, whatever object records them.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=128
	RevokedDigests []string `json:"revokedDigests,omitempty"`

	// effective shows the defaults and limits that Keywright applied.
	// +optional
	Effective *Effective `json:"effective,omitempty"`

	// usage is what the server observes. The operator only reads it.
	// +optional
	// +default={}
	Usage Usage `json:"usage,omitzero"`
}
