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
	// kind is User, Account or Integration.
	// +required
	Kind SubjectKind `json:"kind,omitempty"`

	// name of the user, account or integration: up to 63 letters, digits, '.', '_', '-', a letter or digit first. For a
	// User it is a username: 2-50 of them, and not 'admin' in any case. Example: ci.
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
// +kubebuilder:validation:XValidation:rule="!has(self.ttl) || !has(self.rotation) || !has(self.rotation.every) || [self.ttl, self.rotation.every].exists(d, size(d) == 0 || !d.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$')) || duration(self.ttl) > duration(self.rotation.every)",message="must be longer than rotation.every, or no key would be accepted from its end to the next rotation",fieldPath=".ttl"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.every)",message="rotation.every needs delivery Secret: a key delivered in a reply is rotated through the API",fieldPath=".rotation.every"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.after)",message="rotation.after needs delivery Secret: a key delivered in a reply is rotated through the API",fieldPath=".rotation.after"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.secret)",message="secret needs delivery Secret: with delivery Response no Secret ever holds the key",fieldPath=".secret"
type APIKeySpec struct {
	// displayName is a name for people. Example: Nightly build.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	DisplayName string `json:"displayName,omitempty"`

	// description explains the key to people. Example: Renews the certificates of the test machines.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// category groups keys for people. A field selector can use it: spec.category=build. Example: build.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Category string `json:"category,omitempty"`

	// subject is whom the key speaks as. It cannot be changed.
	// +required
	Subject Subject `json:"subject,omitzero"`

	// scopes are actions that the key may do on all resources. The list belongs to one field manager. Example: certs.read.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(s, self.exists_one(o, o == s))",message="must not repeat a scope"
	Scopes []Scope `json:"scopes,omitempty"`

	// roles are names of AccessRoles whose permissions the key has. Until all of them exist no key is issued. A key
	// without scopes, roles and policy authenticates and may do nothing. The list belongs to one field manager.
	// Example: certificate-reader.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o == r))",message="must not repeat a role"
	Roles []RoleName `json:"roles,omitempty"`

	// policy allows and denies actions on certain resources. A DENY beats whatever scopes, roles and the policy allow.
	// +optional
	Policy *Policy `json:"policy,omitempty"`

	// budgets limit what the AI calls of the key may cost, or how many tokens they may use, in each period.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=4
	Budgets []Budget `json:"budgets,omitempty"`

	// state is Active, Disabled or Revoked. Disabled refuses the key until state is Active again. Revoked refuses it for
	// good: the object stays as the record, and its state cannot be changed any more.
	// +optional
	// +default="Active"
	// +kubebuilder:validation:Enum=Active;Disabled;Revoked
	State State `json:"state,omitempty"`

	// expiresAt is the instant from which every key of the object is refused. Example: 2030-01-31T12:00:00Z.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z') && self <= timestamp('9999-12-31T23:59:59Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	ExpiresAt *metav1.Time `json:"expiresAt,omitempty"`

	// ttl is the lifetime of a key, counted from its issue. Example: 2160h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) >= duration('1s')",message="must be at least 1s, in hours, minutes and seconds of up to 5 digits such as 90m, 24h or 2160h"
	TTL *Duration `json:"ttl,omitempty"`

	// rotation decides when the key is replaced. Without it the key is rotated on request only. With delivery Secret the
	// overlap defaults to 1h, but at most half of every; with delivery Response to 0s.
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`

	// delivery is how the key reaches its user: Secret, written by the operator, or Response, returned once by the admin
	// API. It cannot be changed. More values may be added.
	// +optional
	// +default="Secret"
	Delivery Delivery `json:"delivery,omitempty"`

	// secret describes the Secret that the key is delivered in. Its name defaults to <metadata.name>-api-key.
	// +optional
	Secret *APIKeySecret `json:"secret,omitempty"`

	RemovedAPIKeyFields `json:",inline"`
}

// SecretType is the type of a Secret that Keywright writes. The types of Kubernetes itself, but for Opaque and
// kubernetes.io/basic-auth, are credentials in themselves: a Secret of type kubernetes.io/service-account-token is
// filled with a token of the ServiceAccount that it names.
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self in ['Opaque', 'kubernetes.io/basic-auth'] || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)+/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$') && !self.matches('^([^/]*[.])?(kubernetes|k8s)[.]io/')",message="must be Opaque, kubernetes.io/basic-auth, or a type such as example.com/token of a domain that is not Kubernetes' own"
type SecretType string

// Types of Secrets of Kubernetes itself that may hold a key.
const (
	SecretTypeOpaque    SecretType = "Opaque"
	SecretTypeBasicAuth SecretType = "kubernetes.io/basic-auth" //nolint:gosec // the name of a type
)

// EntryValue is the value of an entry of a Secret. It is not secret: everybody who reads the APIKey reads it.
// +kubebuilder:validation:MaxLength=4096
type EntryValue string

// APIKeySecret describes the Secret of an API key. Its name defaults to <metadata.name>-api-key.
// +kubebuilder:validation:XValidation:rule="!has(self.stringData) || !(self.dataKey in self.stringData)",message="the entry of dataKey holds the key",fieldPath=".stringData"
// +kubebuilder:validation:XValidation:rule="self.type != 'kubernetes.io/basic-auth' || self.dataKey == 'password'",message="must be password: that entry of a Secret of type kubernetes.io/basic-auth holds the key",fieldPath=".dataKey"
type APIKeySecret struct {
	SecretTemplate `json:",inline"`

	// type of the Secret: Opaque, kubernetes.io/basic-auth, or a type of a domain that is not Kubernetes' own. It can be
	// changed only together with the name. Example: kubernetes.io/basic-auth.
	// +optional
	// +default="Opaque"
	Type SecretType `json:"type,omitempty"`

	// stringData are further entries of the Secret, in plain text. They are not secret: do not write a password here.
	// Entry subject and the entry of dataKey are Keywright's. Example: url: https://git.example.com/app.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 253 && k.matches('^[-._a-zA-Z0-9]+$') && !k.startsWith('..') && k != '.')",message="must be names of a Secret's entries: letters, digits, '-', '_' and '.'"
	// +kubebuilder:validation:XValidation:rule="!('subject' in self)",message="entry subject says whom the key speaks as"
	StringData map[string]EntryValue `json:"stringData,omitempty"`

	// reissuePolicy decides what happens to the key when its Secret is deleted or changed. IfLost: a new one is issued at
	// once and the old one refused. Never: it stays valid without a Secret.
	// +optional
	// +default="IfLost"
	ReissuePolicy ReissuePolicy `json:"reissuePolicy,omitempty"`
}

// APIKeyStatus is the state of an APIKey as observed by Keywright.
type APIKeyStatus struct {
	KeyHolderStatus `json:",inline"`

	// revokedAt is when the operator first saw state Revoked. From then on every key is refused, whatever state says.
	// +optional
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	RevokedAt *metav1.Time `json:"revokedAt,omitempty"`

	// owner is the user that the keys belong to, recorded as soon as the subject has an AdminUser. Once that user is gone,
	// or another has the name, the keys are refused until a person asks for a new one. Unset: the subject is not a User,
	// or had no AdminUser so far.
	// +optional
	Owner *KeyOwner `json:"owner,omitempty"`
}

// KeyOwner is the user that an APIKey belongs to.
type KeyOwner struct {
	// id is status.id of the AdminUser.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id,omitempty"`

	// boundAt is when the key became the key of this user.
	// +required
	// +kubebuilder:validation:XValidation:rule="self >= timestamp('0001-01-01T00:00:00Z')",message="must be a time such as 2030-01-31T12:00:00Z"
	BoundAt metav1.Time `json:"boundAt,omitzero"`
}

// APIKey is a key for a person, a program or an integration, with its rights and its lifetime. The operator issues it
// and writes the plaintext once into a Secret.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=apikeys,singular=apikey,shortName=ak,categories=keywright
// +kubebuilder:selectablefield:JSONPath=`.spec.subject.kind`
// +kubebuilder:selectablefield:JSONPath=`.spec.subject.name`
// +kubebuilder:selectablefield:JSONPath=`.spec.state`
// +kubebuilder:selectablefield:JSONPath=`.spec.category`
// +kubebuilder:selectablefield:JSONPath=`.spec.delivery`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.subject.kind`
// +kubebuilder:printcolumn:name="Subject",type=string,JSONPath=`.spec.subject.name`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].reason`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.status.keys[?(@.state=="Current")].expiresAt`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`
// +kubebuilder:printcolumn:name="Scopes",type=string,JSONPath=`.spec.scopes`,priority=1
// +kubebuilder:printcolumn:name="Roles",type=string,JSONPath=`.spec.roles`,priority=1
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.status.keys[?(@.state=="Current")].prefix`,priority=1
// +kubebuilder:printcolumn:name="Next Rotation",type=string,JSONPath=`.status.nextRotationAt`,priority=1
// +kubebuilder:printcolumn:name="Last Used",type=date,JSONPath=`.status.usage.lastUsedAt`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 245",message="metadata.name must be at most 245 characters: the Secret's name is made from it",fieldPath=".metadata"
type APIKey struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines whom the key speaks as, what it may do, and for how long.
	// +required
	Spec APIKeySpec `json:"spec,omitzero"`

	// status is written by Keywright.
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
