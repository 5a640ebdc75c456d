package kit

import (
	"keywright.dev/keywright/api/v1alpha1"
)

// CurrentKey returns the current key of an object, or the zero value.
func CurrentKey(object interface {
	HolderStatus() *v1alpha1.KeyHolderStatus
}) v1alpha1.KeyStatus {
	if key := object.HolderStatus().CurrentKey(); key != nil {
		return *key
	}
	return v1alpha1.KeyStatus{}
}
