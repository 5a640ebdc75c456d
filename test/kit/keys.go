package kit

import (
	"keywright.dev/keywright/api/v1alpha1"
)

// CurrentKey returns the current key of an object, or the zero value if there is none.
func CurrentKey(object interface {
	HolderStatus() *v1alpha1.KeyHolderStatus
}) v1alpha1.KeyStatus {
	for _, key := range object.HolderStatus().Keys {
		if key.State == v1alpha1.KeyCurrent {
			return key
		}
	}
	return v1alpha1.KeyStatus{}
}
