package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AccessRoleSpec defines the permissions of a role, and the limits of keys that use it.
type AccessRoleSpec struct {
	// description explains the role to people. Example: Reads all certificates but that of the root.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// permissions of the role. Their order does not matter.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	Permissions []Permission `json:"permissions,omitempty"`

	// limits apply to keys that name the role in spec.roles. They do not limit other keys of its users.
	// +optional
	Limits *Limits `json:"limits,omitempty"`

	RemovedAccessRoleFields `json:",inline"`
}

// Limits are limits of keys that use a role.
type Limits struct {
	// maxTTL is the longest lifetime of a key, counted from its issue, whatever the key specifies. Example: 720h.
	// +optional
	// +kubebuilder:validation:XValidation:rule="size(self) > 0 && self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) >= duration('1m')",message="must be at least 1m, in hours, minutes and seconds of up to 5 digits such as 90m, 24h or 2160h"
	MaxTTL *Duration `json:"maxTTL,omitempty"`

	// budgets limit what the AI calls of all keys that name the role may cost together, or how many tokens they may use,
	// in each period.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=4
	Budgets []Budget `json:"budgets,omitempty"`
}

// AccessRole is a named set of permissions that APIKeys can use and an AccessRoleBinding can give to users. It has no
// status: it takes effect as soon as it is stored.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=arole,categories=keywright
// +kubebuilder:printcolumn:name="Max TTL",type=string,JSONPath=`.spec.limits.maxTTL`
// +kubebuilder:printcolumn:name="Description",type=string,JSONPath=`.spec.description`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AccessRole struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec defines the permissions of the role, and the limits of keys that use it.
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
