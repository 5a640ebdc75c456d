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
// +kubebuilder:validation:XValidation:rule="self.delivery != 'Response' || !has(self.secret)",message="secret needs delivery Secret: with delivery Response no Secret ever holds the key",fieldPath=".secret"
type AdminUserSpec struct {
	// Username is the name of the user: 2-50 characters, a letter or digit first, then letters, digits, '.', '_', '-'.
	// Defaults to metadata.name. Immutable. 'admin' in any case is reserved.
	// +optional
	// +kubebuilder:validation:MaxLength=50
	Username string `json:"username,omitempty"`

	// Role is admin or user. A change to user revokes the key at once and removes its Secret; a change back to admin
	// issues a new key.
	// +optional
	// +default="admin"
	Role Role `json:"role,omitempty"`

	// Enabled false refuses every key of the user at once. Set back to true, the same keys work again.
	// +optional
	// +default=true
	Enabled *bool `json:"enabled,omitempty"`

	// Delivery is how the key reaches the user: Secret, written by the operator, or Response, returned once by the admin
	// API. Immutable.
	// +optional
	// +default="Secret"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="delivery can't be changed"
	Delivery Delivery `json:"delivery,omitempty"`

	// Secret describes the Secret that the key is delivered in.
	// +optional
	Secret *AdminUserSecret `json:"secret,omitempty"`

	// Rotation replaces the key on a schedule. Without it the key is rotated on request only. The overlap defaults to
	// 0s: the old key ends at once.
	// +optional
	Rotation *Rotation `json:"rotation,omitempty"`
}

// AdminUserSecret describes the Secret of an admin key. Its name defaults to <metadata.name>-admin-key.
type AdminUserSecret struct {
	SecretTemplate `json:",inline"`

	// WhenDeleted decides what happens to the key when its Secret is deleted or changed. Keep: it stays valid, so a
	// person may copy the key and delete the Secret. Reissue: a new one is issued.
	// +optional
	// +default="Keep"
	WhenDeleted WhenDeleted `json:"whenDeleted,omitempty"`
}

// AdminUserStatus is the state of an AdminUser as observed by Keywright.
type AdminUserStatus struct {
	KeyHolderStatus `json:",inline"`
}

// AdminUser is a named admin. The operator issues a key for it and writes the plaintext once into a Secret. It has an
// effect in Keywright's own namespace only.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=au,categories=keywright
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.role`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Active",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].status`
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=="Active")].reason`
// +kubebuilder:printcolumn:name="Secret",type=string,JSONPath=`.status.secretName`
// +kubebuilder:printcolumn:name="Key",type=string,JSONPath=`.status.keys[0].prefix`,priority=1
// +kubebuilder:printcolumn:name="Username",type=string,JSONPath=`.spec.username`,priority=1
// +kubebuilder:printcolumn:name="Last Used",type=date,JSONPath=`.status.lastUsedTime`,priority=1
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 243",message="metadata.name must be at most 243 characters: the Secret's name is made from it"
// +kubebuilder:validation:XValidation:rule="has(self.spec.username) || (size(self.metadata.name) >= 2 && size(self.metadata.name) <= 50)",message="metadata.name is the username when spec.username is not set, and must then be 2-50 characters"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.username) || self.spec.username.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$')",messageExpression=`"Invalid username: '" + self.spec.username + "'. Must be 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit."`,fieldPath=".spec.username",message="Invalid username. Must be 2-50 alphanumeric characters, dots, hyphens, underscores, starting with a letter or digit.",fieldPath=".spec.username"
// +kubebuilder:validation:XValidation:rule="(has(self.spec.username) ? self.spec.username : self.metadata.name).lowerAscii() != 'admin'",message="Username 'admin' is reserved"
// +kubebuilder:validation:XValidation:rule="(has(self.spec.username) ? self.spec.username : self.metadata.name) == (has(oldSelf.spec.username) ? oldSelf.spec.username : oldSelf.metadata.name)",fieldPath=".spec.username",message="username can't be changed: delete this AdminUser and create another",fieldPath=".spec.username"
type AdminUser struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec defines the admin and the delivery of the key.
	// +optional
	// +default={}
	Spec AdminUserSpec `json:"spec,omitzero"`

	// Status is written by Keywright.
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
