package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Delivery is how the plaintext of a key reaches its user.
// +kubebuilder:validation:Enum=Secret;Response
type Delivery string

const (
	// DeliverySecret: the operator issues the key and writes the plaintext into a Secret.
	DeliverySecret Delivery = "Secret"
	// DeliveryResponse: the admin API issues the key and returns the plaintext in its reply only.
	DeliveryResponse Delivery = "Response"
)

// WhenDeleted is what happens to a key whose Secret is deleted or changed.
// +kubebuilder:validation:Enum=Keep;Reissue
type WhenDeleted string

const (
	// WhenDeletedKeep: the key stays valid and no Secret is written until the next rotation.
	WhenDeletedKeep WhenDeleted = "Keep"
	// WhenDeletedReissue: a new key is issued at once and the old one refused.
	WhenDeletedReissue WhenDeleted = "Reissue"
)

// SecretTemplate describes the Secret that a key is delivered in.
type SecretTemplate struct {
	// Name of the Secret, in the object's namespace. A change issues a new key under the new name.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of a Secret: lower case letters, digits, '-' and '.'"
	// +kubebuilder:validation:XValidation:rule="self != 'keywright-pepper'",message="Secret keywright-pepper is Keywright's own and can't hold a key"
	Name string `json:"name,omitempty"`

	// Key is the name of the entry that holds the plaintext. A change issues a new key under the new name.
	// +optional
	// +default="key"
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'",message="must be the name of a Secret's entry: letters, digits, '-', '_' and '.'"
	// +kubebuilder:validation:XValidation:rule="!(self in ['username', 'subject'])",message="entries username and subject say whom the key speaks as"
	Key string `json:"key,omitempty"`

	// Labels to set on the Secret. Names under keywright.dev/ are reserved.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('keywright.dev/'))",message="labels under keywright.dev/ are Keywright's own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && !format.qualifiedName().validate(k).hasValue() && !format.labelValue().validate(self[k]).hasValue())",message="must be valid label names and values"
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// Annotations to set on the Secret. Names under keywright.dev/ are reserved.
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('keywright.dev/'))",message="annotations under keywright.dev/ are Keywright's own"
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 317 && !format.qualifiedName().validate(k).hasValue())",message="must be valid annotation names"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`
}

// LabelValue is the value of a label.
// +kubebuilder:validation:MaxLength=63
type LabelValue string

// AnnotationValue is the value of an annotation.
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// Rotation is a schedule of key rotations.
// +kubebuilder:validation:XValidation:rule="!has(self.every) || !has(self.overlap) || [self.every, self.overlap].exists(d, size(d) == 0 || !d.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$')) || duration(self.overlap) < duration(self.every)",message="must be shorter than every",fieldPath=".overlap"
type Rotation struct {
	// Every is the time from one issue to the next, at least 1m. Without it there is no schedule.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1m')",message="must be at least 1m and less than 1000000h, in hours, minutes and seconds such as 90m, 24h or 2160h"
	Every *Duration `json:"every,omitempty"`

	// Overlap is how long the old key is accepted after the issue of the new one. Shorter than every.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$')",message="must be less than 1000000h, in hours, minutes and seconds such as 0s, 90s, 1h30m or 24h"
	Overlap *Duration `json:"overlap,omitempty"`
}

// Duration is a length of time in hours, minutes and seconds: 90s, 1h30m, 2160h. The number of digits of each is
// bounded, so that their sum fits into a Go time.Duration.
// +kubebuilder:validation:MaxLength=32
type Duration string

// Every time in a status has its own rule, because format date-time accepts values that Go cannot read, such as
// 2030-01-31t12:00:00z: one such object would break the list of the whole kind for every client. CEL reads times as
// Go does, so any comparison checks the format.

// KeyStatus is one key that is accepted, or about to be. It contains neither the key nor a form that reveals it.
type KeyStatus struct {
	// ID is the first 16 hexadecimal characters of the digest: the name of the key in logs, metrics and headers.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=16
	ID string `json:"id,omitempty"`

	// Prefix is the first 12 characters of a generated key, or the first 4 of a brought one, by which people recognize
	// the key.
	// +optional
	// +kubebuilder:validation:MaxLength=12
	Prefix string `json:"prefix,omitempty"`

	// Digest is hmac-sha256:<pepper id>:<hex> of the key.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// IssuedAt is when the key was generated or adopted.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	IssuedAt metav1.Time `json:"issuedAt,omitempty"`

	// NotAfter is the instant from which the key is refused: the earliest of its expiresAt, its ttl, the maxTTL of its
	// roles and the end of its overlap. Unset: the key has no end.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// Pending is true from the recording of the digest until the plaintext is in the Secret.
	// +optional
	Pending bool `json:"pending,omitempty"`
}

// KeyHolderStatus is the part of the status that all key objects have.
type KeyHolderStatus struct {
	// ObservedGeneration is the generation that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions: Ready, Active, LastAdmin; Stalled and Reconciling while they are true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, c.lastTransitionTime >= timestamp('0001-01-01T00:00:00Z'))",message="lastTransitionTime must be a time such as 2030-01-31T12:00:00Z"
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// Keys are the current key, a pending one, and overlapping ones.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Keys []KeyStatus `json:"keys,omitempty"`

	// SecretName is the Secret that holds the current key. Empty if none does.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`

	// NextRotation is when the schedule rotates the key next.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	NextRotation *metav1.Time `json:"nextRotation,omitempty"`

	// LastRotateRequest is the last value of annotation keywright.dev/rotate that was acted on.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	LastRotateRequest string `json:"lastRotateRequest,omitempty"`

	// AdoptedKeys are the ids of the last keys adopted from a Secret, the latest last. Once rotated away, they are not
	// adopted again.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=16
	AdoptedKeys []string `json:"adoptedKeys,omitempty"`

	// LastUsedTime is when a key of this object was last accepted, to the hour. Written by the server.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	LastUsedTime *metav1.Time `json:"lastUsedTime,omitempty"`
}
