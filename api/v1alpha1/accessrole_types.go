package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KeyOwnership says whether somebody may own API keys.
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

// AccessRoleSpec says what a role gives, and to whom.
type AccessRoleSpec struct {
	// Description says for people what the role is for.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// Permissions of the role. Their order does not matter.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Permissions []Permission `json:"permissions,omitempty"`

	// Members are the usernames who hold the role. A key that speaks for one of them never may more than their roles do.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1000
	Members []Username `json:"members,omitempty"`

	// APIKeys says whether members may own keys at all. Somebody whom only roles with Denied list may not; one role with
	// Allowed suffices, and so does none.
	// +optional
	// +default="Allowed"
	APIKeys KeyOwnership `json:"apiKeys,omitempty"`

	// MaxTTL ends a key that uses the role at the latest so long after its issue, whatever the key asks for.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,9}s)?$') && duration(self) >= duration('1m')",message="must be at least 1m and less than 1000000h, in hours, minutes and seconds such as 90m, 24h or 2160h"
	MaxTTL *Duration `json:"maxTTL,omitempty"`
}

// AccessRole is a named set of permissions that APIKeys can use and users can hold. It has no status: it is in force
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

	// Spec says what the role gives, and to whom.
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
