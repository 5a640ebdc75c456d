package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KeyOwnership decides whether a user may own API keys.
// +kubebuilder:validation:Enum=Allowed;Denied
type KeyOwnership string

const (
	// KeysAllowed: the subjects may own keys.
	KeysAllowed KeyOwnership = "Allowed"
	// KeysDenied: the subjects may not own keys, unless another binding that lists them allows it.
	KeysDenied KeyOwnership = "Denied"
)

// RoleRef names an AccessRole.
type RoleRef struct {
	// name of the AccessRole. It may be created later; until then the binding gives nothing. Example: certificate-reader.
	// +required
	Name RoleName `json:"name,omitempty"`
}

// BoundKind is a kind of subject that a binding can list. More values may be added.
// +kubebuilder:validation:Enum=User
type BoundKind string

// BoundUser is a user, with or without an AdminUser.
const BoundUser BoundKind = "User"

// Username is the name of a user: 2-50 characters.
// +kubebuilder:validation:MaxLength=50
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$')",message="must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first"
// +kubebuilder:validation:XValidation:rule="self.lowerAscii() != 'admin'",message="username 'admin' is reserved"
type Username string

// BoundSubject is a subject that a binding gives its role to.
type BoundSubject struct {
	// kind is User. More values may be added.
	// +required
	Kind BoundKind `json:"kind,omitempty"`

	// name of the user. Example: carol.
	// +required
	Name Username `json:"name,omitempty"`
}

// AccessRoleBindingSpec gives a role to users.
type AccessRoleBindingSpec struct {
	// roleRef names the AccessRole. It cannot be changed.
	// +required
	RoleRef RoleRef `json:"roleRef,omitzero"`

	// subjects are the users who hold the role. A key that speaks as a user never has more rights than that user: an admin
	// has all, any other user those of their roles.
	// +optional
	// +listType=map
	// +listMapKey=kind
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=500
	Subjects []BoundSubject `json:"subjects,omitempty"`

	// apiKeys is Allowed or Denied, and decides whether the subjects may own keys. A user may, unless every binding that
	// lists the user says Denied.
	// +optional
	// +default="Allowed"
	APIKeys KeyOwnership `json:"apiKeys,omitempty"`
}

// AccessRoleBinding gives an AccessRole to users. It has no status: it takes effect as soon as it is stored.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=arolebinding,categories=keywright
// +kubebuilder:printcolumn:name="Role",type=string,JSONPath=`.spec.roleRef.name`
// +kubebuilder:printcolumn:name="API Keys",type=string,JSONPath=`.spec.apiKeys`
// +kubebuilder:printcolumn:name="Subjects",type=string,JSONPath=`.spec.subjects`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AccessRoleBinding struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec gives a role to users.
	// +required
	Spec AccessRoleBindingSpec `json:"spec,omitzero"`
}

// AccessRoleBindingList is a list of AccessRoleBindings.
//
// +kubebuilder:object:root=true
type AccessRoleBindingList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AccessRoleBinding `json:"items"`
}
