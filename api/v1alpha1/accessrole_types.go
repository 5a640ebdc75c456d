package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KeyOwnership decides whether a user may own API keys.
// +kubebuilder:validation:Enum=Allowed;Denied
type KeyOwnership string

const (
	// KeysAllowed: members may own keys.
	KeysAllowed KeyOwnership = "Allowed"
	// KeysDenied: members may not own keys, unless another role that lists them allows it.
	KeysDenied KeyOwnership = "Denied"
)

// Username is the name of a user: 2-50 characters.
// +kubebuilder:validation:MaxLength=50
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$')",message="must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first"
// +kubebuilder:validation:XValidation:rule="self.lowerAscii() != 'admin'",message="username 'admin' is reserved"
type Username string

// AccessRoleSpec defines the permissions of a role, and its members.
type AccessRoleSpec struct {
	// Description explains the role to people.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// Permissions of the role. Their order does not matter.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Permissions []Permission `json:"permissions,omitempty"`

	// Members are the users who hold the role. A key of a member never has more rights than the roles of that member.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Members []Username `json:"members,omitempty"`

	// APIKeys decides whether members may own keys. A user listed by roles with Denied only may not; one role with
	// Allowed is enough, and a user without roles may.
	// +optional
	// +default="Allowed"
	APIKeys KeyOwnership `json:"apiKeys,omitempty"`

	// MaxTTL is the longest life of a key that uses the role, counted from its issue, whatever the key specifies.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1m')",message="must be at least 1m and less than 1000000h, in hours, minutes and seconds such as 90m, 24h or 2160h"
	MaxTTL *Duration `json:"maxTTL,omitempty"`
}

// AccessRole is a named set of permissions that APIKeys can use and users can hold. It has no status: it takes effect
// as soon as it is stored.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=arole,categories=keywright
// +kubebuilder:printcolumn:name="API Keys",type=string,JSONPath=`.spec.apiKeys`
// +kubebuilder:printcolumn:name="Max TTL",type=string,JSONPath=`.spec.maxTTL`
// +kubebuilder:printcolumn:name="Members",type=string,JSONPath=`.spec.members`,priority=1
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AccessRole struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec defines the permissions of the role, and its members.
	// +optional
	// +default={}
	Spec AccessRoleSpec `json:"spec,omitzero"`
}

// AccessRoleList is a list of AccessRoles.
//
// +kubebuilder:object:root=true
type AccessRoleList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AccessRole `json:"items"`
}
