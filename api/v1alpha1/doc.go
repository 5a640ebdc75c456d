// Package v1alpha1 is the Kubernetes API of Keywright: admins, keys and roles.
//
// It contains types, defaults and validation rules, and imports apimachinery only.
//
// +kubebuilder:object:generate=true
// +groupName=keywright.dev
package v1alpha1
