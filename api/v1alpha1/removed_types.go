package v1alpha1

// Fields of earlier manifests. A rule refuses each of them and names its successor. Without them the API server would
// drop the field silently: a patch of enabled: false would succeed and stop nothing. They go before v1beta1.

// RemovedKeyFields are former fields of the spec of a key object.
type RemovedKeyFields struct {
	// enabled was replaced by state.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="enabled was replaced by state: write state: Active or state: Disabled"
	RemovedEnabled *bool `json:"enabled,omitempty"`
}

// RemovedAPIKeyFields are former fields of the spec of an APIKey.
type RemovedAPIKeyFields struct {
	RemovedKeyFields `json:",inline"`

	// revoked was replaced by state.
	// +optional
	// +kubebuilder:validation:XValidation:rule="false",message="revoked was replaced by state: write state: Revoked"
	RemovedRevoked *bool `json:"revoked,omitempty"`
}

// RemovedSecretFields are former fields of spec.secret.
type RemovedSecretFields struct {
	// key was replaced by dataKey.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="false",message="key was replaced by dataKey"
	RemovedKey *string `json:"key,omitempty"`

	// whenDeleted was replaced by reissuePolicy.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="false",message="whenDeleted was replaced by reissuePolicy: write IfLost for Reissue and Never for Keep"
	RemovedWhenDeleted *string `json:"whenDeleted,omitempty"`
}

// RemovedAccessRoleFields are former fields of the spec of an AccessRole.
type RemovedAccessRoleFields struct {
	// members was replaced by AccessRoleBinding.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="false",message="members was replaced by AccessRoleBinding: list them there under subjects"
	RemovedMembers []string `json:"members,omitempty"`

	// apiKeys was replaced by AccessRoleBinding.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="false",message="apiKeys was replaced: it is a field of AccessRoleBinding"
	RemovedAPIKeys *string `json:"apiKeys,omitempty"`

	// maxTTL was replaced by limits.maxTTL.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="false",message="maxTTL was replaced by limits.maxTTL"
	RemovedMaxTTL *string `json:"maxTTL,omitempty"`
}
