package v1alpha1

// Effect is whether a permission gives or takes away.
// +kubebuilder:validation:Enum=ALLOW;DENY
type Effect string

const (
	// EffectAllow gives.
	EffectAllow Effect = "ALLOW"
	// EffectDeny takes away, whatever else gives.
	EffectDeny Effect = "DENY"
)

// Action is what a request does: certs.read, dashboard:View, or * for any.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^([*]|[A-Za-z][A-Za-z0-9_-]*([.:][A-Za-z0-9_-]+)+)$')",message="must be an action such as certs.read or dashboard:View, or '*' alone: there is no wildcard for a part"
type Action string

// Resource is what a request is about: certificate:42, or * for anything.
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:XValidation:rule="self.matches('^([*]|[A-Za-z][A-Za-z0-9_-]*:[^*[:space:][:cntrl:]]+)$')",message="must be a kind and an id such as certificate:42, or '*' alone: there is no wildcard for a part"
type Resource string

// PropertyValue is the value of a property.
// +kubebuilder:validation:MaxLength=253
type PropertyValue string

// Policy allows and denies actions on resources. Without a matching permission a request is denied; a DENY beats
// every ALLOW.
type Policy struct {
	// permissions of the policy. Their order does not matter.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Permissions []Permission `json:"permissions,omitempty"`
}

// Permission allows or denies actions on resources.
// +kubebuilder:validation:XValidation:rule="!self.actions.exists(a, a == 'query:ReadGraphData') || self.resources.all(r, r == '*')",message="action query:ReadGraphData takes resource '*' only: a condition narrows it",fieldPath=".resources"
type Permission struct {
	// effect is ALLOW or DENY.
	// +required
	Effect Effect `json:"effect,omitempty"`

	// actions that the permission covers. Example: certs.read, dashboard:View, or * for any.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Actions []Action `json:"actions,omitempty"`

	// resources that the permission covers. Example: certificate:42, or * for anything.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Resources []Resource `json:"resources,omitempty"`

	// condition limits the permission to objects with certain properties.
	// +optional
	Condition *Condition `json:"condition,omitempty"`
}

// Condition limits a permission to resources with certain properties.
type Condition struct {
	// stringEquals lists properties with the value that each must have in the resource of the request. All must match.
	// Example: _type: github_repo.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=16
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) >= 1 && size(k) <= 63)",message="a property has a name of 1-63 characters"
	StringEquals map[string]PropertyValue `json:"stringEquals,omitempty"`
}
