package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SubjectKind is a kind of subject.
// +kubebuilder:validation:Enum=User;Account;Integration
type SubjectKind string

const (
	// SubjectUser is a person. The key never has more rights than they do.
	SubjectUser SubjectKind = "User"
	// SubjectAccount is a program, such as a CI job.
	SubjectAccount SubjectKind = "Account"
	// SubjectIntegration is one instance of an external integration.
	SubjectIntegration SubjectKind = "Integration"
)

// Subject is whom a key speaks as.
// +kubebuilder:validation:XValidation:rule="self.kind != 'User' || self.name.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$')",message="must be a username for kind User: 2-50 letters, digits, '.', '_', '-', a letter or digit first",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="self.kind == 'User' || self.name.matches('^[A-Za-z0-9][A-Za-z0-9._-]*$')",message="must be 1-63 letters, digits, '.', '_', '-', a letter or digit first",fieldPath=".name"
// +kubebuilder:validation:XValidation:rule="self.kind != 'User' || self.name.lowerAscii() != 'admin'",message="username 'admin' is reserved",fieldPath=".name"
type Subject struct {
	// Kind is User, Account or Integration.
	// +required
	Kind SubjectKind `json:"kind,omitempty"`

	// Name of the user, account or integration: up to 63 letters, digits, '.', '_', '-', a letter or digit first. For a
	// User it is a username: 2-50 of them, and not 'admin' in any case.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`
}

// Scope is an action that a key may do on all resources, such as certs.read.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_-]*([.:][A-Za-z0-9_-]+)+$')",message="must be an action such as certs.read or dashboard:View, without a wildcard: that takes a policy"
type Scope string

// RoleName is the name of an AccessRole.
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="size(self) > 0 && !format.dns1123Subdomain().validate(self).hasValue()",message="must be the name of an AccessRole: lower case letters, digits, '-' and '.'"
type RoleName string

// APIKeySpec defines whom a key speaks as, what it may do, and for how long.
// +kubebuilder:validation:XValidation:rule="!has(self.expiresAt) || !has(self.ttl)",message="expiresAt and ttl exclude each other: a key ends at an instant, or so long after its issue",fieldPath=".ttl"
// +kubebuilder:validation:XValidation:rule="!has(self.ttl) || !has(self.rotation) || !has(self.rotation.every) || [self.ttl, self.rotation.every].exists(d, size(d) == 0 || !d.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$')) || duration(self.ttl) > duration(self.rotation.every)",message="must be longer than rotation.every, or no key would be accepted from its end to the next rotation",fieldPath=".ttl"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.every)",message="rotation.every needs delivery Secret: a key delivered in a reply is rotated through the API",fieldPath=".rotation.every"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.secret)",message="secret needs delivery Secret: with delivery Response no Secret ever holds the key",fieldPath=".secret"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.revoked) || !oldSelf.revoked || has(self.revoked) && self.revoked",message="a revoked key stays revoked: create another APIKey",fieldPath=".revoked"
type APIKeySpec struct {
	// DisplayName is a name for people.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	DisplayName string `json:"displayName,omitempty"`

	// Description explains the key to people.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// Category groups keys for people.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Category string `json:"category,omitempty"`

	// Subject is whom the key speaks as. Immutable.
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="subject can't be changed: delete this APIKey and create another"
	Subject Subject `json:"subject,omitzero"`

	// Scopes are actions such as certs.read that the key may do on all resources.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	Scopes []Scope `json:"scopes,omitempty"`

	// Roles are names of AccessRoles whose permissions the key has. Until all of them exist no key is issued. A key
	// without scopes, roles and policy authenticates and may do nothing.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	Roles []RoleName `json:"roles,omitempty"`

	// Policy allows and denies in detail.
	// +optional
	Policy *Policy `json:"policy,omitempty"`

	// Enabled false refuses the key at once. Set back to true, the same key works again.
	// +optional
	// +default=true
	Enabled *bool `json:"enabled,omitempty"`

	// Revoked true refuses the key at once and for good: it cannot be reset. The object stays as the record.
	// +optional
	Revoked bool `json:"revoked,omitempty"`

	// ExpiresAt is the instant from which every key of the object is refused.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// TTL is how long after its issue a key is refused.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1s')",message="must be at least 1s and less than 1000000h, in hours, minutes and seconds such as 90m, 24h or 2160h"
	TTL *Duration `json:"ttl,omitempty"`

	// Rotation replaces the key on a schedule. Without it the key is rotated on request only. With delivery Secret the
	// overlap defaults to 1h, but at most half of every; with delivery Response to 0s.
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`

	// Delivery is how the key reaches its user: Secret, written by the operator, or Response, returned once by the admin
	// API. Immutable.
	// +optional
	// +default="Secret"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="delivery can't be changed"
	Delivery Delivery `json:"delivery,omitempty"`

	// Secret describes the Secret that the key is delivered in.
	// +optional
	Secret *APIKeySecret `json:"secret,omitempty"`
}

// APIKeySecret describes the Secret of an API key. Its name defaults to <metadata.name>-api-key.
type APIKeySecret struct {
	SecretTemplate `json:",inline"`

	// WhenDeleted decides what happens to the key when its Secret is deleted or changed. Reissue: a new one is issued at
	// once and the old one refused. Keep: it stays valid without a Secret.
	// +optional
	// +default="Reissue"
	WhenDeleted WhenDeleted `json:"whenDeleted,omitempty"`
}

// APIKeyStatus is the state of an APIKey as observed by Keywright.
type APIKeyStatus struct {
	KeyHolderStatus `json:",inline"`
}

// APIKey is a key for a person, a program or an integration, with its rights and its lifetime. The operator issues it
// and writes the plaintext once into a Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=apikeys,singular=apikey,shortName=ak,categories=keywright
// +kubebuilder:selectablefield:JSONPath=`.spec.subject.kind`
// +kubebuilder:selectablefield:JSONPath=`.spec.subject.name`
// +kubebuilder:printcolumn:name="Subject",type=string,JSONPath=`.spec.subject.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].reason`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.keys[0].notAfter`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.subject.kind`,priority=1
// +kubebuilder:printcolumn:name="Scopes",type=string,JSONPath=`.spec.scopes`,priority=1
// +kubebuilder:printcolumn:name="Roles",type=string,JSONPath=`.spec.roles`,priority=1
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.status.keys[0].prefix`,priority=1
// +kubebuilder:printcolumn:name="Next Rotation",type=string,JSONPath=`.status.nextRotation`,priority=1
// +kubebuilder:printcolumn:name="Last Used",type=date,JSONPath=`.status.lastUsedTime`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 245",message="metadata.name must be at most 245 characters: the Secret's name is made from it",fieldPath=".metadata"
type APIKey struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec defines whom the key speaks as, what it may do, and for how long.
	// +required
	Spec APIKeySpec `json:"spec,omitzero"`

	// Status is written by Keywright.
	// +optional
	// +default={"observedGeneration":-1}
	Status APIKeyStatus `json:"status,omitzero"`
}

// APIKeyList is a list of APIKeys.
//
// +kubebuilder:object:root=true
type APIKeyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []APIKey `json:"items"`
}
