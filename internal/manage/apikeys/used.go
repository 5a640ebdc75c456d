package apikeys

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/manage/lastuse"
)

// used takes the later of what the status says, to the hour, and what the database knows, which has the address.
func (k *Key) used(coarse *metav1.Time, exact lastuse.Use) {
	if coarse != nil && coarse.After(exact.At) {
		at := coarse.UTC()
		k.LastUsedAt = &at
		return
	}
	if !exact.At.IsZero() {
		at := exact.At.UTC()
		k.LastUsedAt, k.LastUsedFrom = &at, exact.From
	}
}
