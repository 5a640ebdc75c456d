package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Role is the role of a user of Keywright.
// +kubebuilder:validation:Enum=admin;user
type Role string

const (
	// RoleAdmin has a key and every right.
	RoleAdmin Role = "admin"
	// RoleUser has a name and no admin key.
	RoleUser Role = "user"
)

// AdminUserSpec defines the admin and the delivery of the key.
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.every)",message="rotation.every needs delivery Secret: a key delivered in a reply is rotated through the API",fieldPath=".rotation.every"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.rotation) || !has(self.rotation.after)",message="rotation.after needs delivery Secret: a key delivered in a reply is rotated through the API",fieldPath=".rotation.after"
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.secret)",message="secret needs delivery Secret: with delivery Response no Secret ever holds the key",fieldPath=".secret"
type AdminUserSpec struct {
	// username is the name of the user: 2-50 characters, a letter or digit first, then letters, digits, '.', '_', '-'.
	// It defaults to metadata.name and cannot be changed. 'admin' in any case is reserved. Example: alice.
	// +optional
	// +kubebuilder:validation:MaxLength=50
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$')",messageExpression=`"Invalid username: '" + self + "'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit."`,message="Invalid username. Must be 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit."
	// +kubebuilder:validation:XValidation:rule="self.lowerAscii() != 'admin'",message="Username 'admin' is reserved"
	Username string `json:"username,omitempty"`

	// description explains to people who the user is and why they have access. Example: On call for the platform team.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// role is admin or user. A change to user revokes the key at once and removes its Secret; a change back to admin
	// issues a new key.
	// +optional
	// +default="admin"
	Role Role `json:"role,omitempty"`

	// state is Active or Disabled. Disabled refuses every key of the user at once, their APIKeys too; back to Active, the
	// same keys work again.
	// +optional
	// +default="Active"
	// +kubebuilder:validation:Enum=Active;Disabled
	State State `json:"state,omitempty"`

	// delivery is how the key reaches the user: Secret, written by the operator, or Response, returned once by the admin
	// API. It cannot be changed. More values may be added.
	// +optional
	// +default="Secret"
	Delivery Delivery `json:"delivery,omitempty"`

	// secret describes the Secret that the key is delivered in. Its name defaults to <metadata.name>-admin-key.
	// +optional
	Secret *AdminUserSecret `json:"secret,omitempty"`

	// rotation decides when the key is replaced. Without it the key is rotated on request only. The overlap defaults to
	// 0s: the old key ends at once.
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`

	RemovedKeyFields `json:",inline"`
}

// AdminUserSecret describes the Secret of an admin key. Its name defaults to <metadata.name>-admin-key.
type AdminUserSecret struct {
	SecretTemplate `json:",inline"`

	// reissuePolicy decides what happens to the key when its Secret is deleted or changed. Never: it stays valid, so a
	// person may copy the key and delete the Secret. IfLost: a new one is issued and the old one refused.
	// +optional
	// +default="Never"
	ReissuePolicy ReissuePolicy `json:"reissuePolicy,omitempty"`
}

// AdminUserStatus is the state of an AdminUser as observed by Keywright.
type AdminUserStatus struct {
	KeyHolderStatus `json:",inline"`

	// id identifies the user, whatever object has the username later. It is the first uid of the AdminUser, set once, and
	// stays the same when a backup restores the status. Unset: metadata.uid.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	ID string `json:"id,omitempty"`
}

// AdminUser is a named admin. The operator issues a key for it and writes the plaintext once into a Secret. It has an
// effect in Keywright's own namespace only.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=au,categories=keywright
// +kubebuilder:selectablefield:JSONPath=`.spec.username`
// +kubebuilder:selectablefield:JSONPath=`.spec.state`
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].reason`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.status.keys[?(@.state=="Current")].prefix`,priority=1
// +kubebuilder:printcolumn:name="Username",type=string,JSONPath=`.spec.username`,priority=1
// +kubebuilder:printcolumn:name="Last Used",type=date,JSONPath=`.status.usage.lastUsedAt`,priority=1
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 243",message="metadata.name must be at most 243 characters: the Secret's name is made from it",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="has(self.spec.username) || (size(self.metadata.name) >= 2 && size(self.metadata.name) <= 50)",message="metadata.name is the username when spec.username is not set, and must then be 2-50 characters",fieldPath=".metadata"
// +kubebuilder:validation:XValidation:rule="has(self.spec.username) || self.metadata.name != 'admin'",message="Username 'admin' is reserved",fieldPath=".metadata"
type AdminUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines the admin and the delivery of the key.
	// +optional
	// +default={}
	Spec AdminUserSpec `json:"spec,omitzero"`

	// status is written by Keywright.
	// +optional
	// +default={"observedGeneration":-1}
	Status AdminUserStatus `json:"status,omitzero"`
}

// AdminUserList is a list of AdminUsers.
//
// +kubebuilder:object:root=true
type AdminUserList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AdminUser `json:"items"`
}
