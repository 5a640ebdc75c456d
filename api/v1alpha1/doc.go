// Package v1alpha1 is the Kubernetes API of Keywright: who may come in, and with which keys.
//
// It holds types, defaults and validation rules only, and imports apimachinery only.
//
// +kubebuilder:object:generate=true
// +groupName=keywright.dev
package v1alpha1
