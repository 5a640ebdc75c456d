package issuer

import (
	"bytes"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// changedBy returns the field manager that has changed the key or another part that Keywright wrote: the one that has
// the key's entry, else the one that has written last. The result is empty without managed fields, as in the cache.
func (t *Target) changedBy(secret *metav1.PartialObjectMetadata) string {
	var ours time.Time
	for _, entry := range secret.ManagedFields {
		if entry.Manager == v1alpha1.FieldManager && entry.Time != nil && entry.Time.After(ours) {
			ours = entry.Time.Time
		}
	}
	var name string
	last := ours
	for _, entry := range secret.ManagedFields {
		switch {
		case entry.Manager == v1alpha1.FieldManager:
		case hasField(entry, dataPath(t.dataKey())):
			return entry.Manager
		case entry.Time != nil && !entry.Time.Time.Before(last):
			name, last = entry.Manager, entry.Time.Time
		}
	}
	return name
}

func hasField(entry metav1.ManagedFieldsEntry, path fieldpath.Path) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	fields := fieldpath.NewSet()
	return fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())) == nil && fields.Has(path)
}

// lossesOf reads status.secretLosses.
func lossesOf(s *v1alpha1.KeyHolderStatus) lifecycle.Losses {
	if s.SecretLosses == nil {
		return lifecycle.Losses{}
	}
	return lifecycle.Losses{
		By: s.SecretLosses.FieldManager, KeyID: s.SecretLosses.KeyID, LastAt: s.SecretLosses.LastAt.Time,
		Count: int(s.SecretLosses.Count),
	}
}

// recordLosses sets status.secretLosses. Losses of zero leave it as it is.
func recordLosses(s *v1alpha1.KeyHolderStatus, losses lifecycle.Losses) {
	if losses.Count > 0 {
		s.SecretLosses = &v1alpha1.SecretLosses{
			FieldManager: losses.By, KeyID: losses.KeyID, LastAt: metav1.NewTime(losses.LastAt), Count: int32(losses.Count),
		}
	}
}

// fightMessage names the writer that takes the key out of the Secret, and the ways out.
func (r *run) fightMessage() string {
	losses := lossesOf(r.target.status())
	writer := "A client that leaves no field manager"
	if losses.By != "" {
		writer = fmt.Sprintf("Field manager %q", losses.By)
	}
	return fmt.Sprintf("%s has deleted Secret %s or changed what Keywright wrote into it %d times, each time within "+
		"minutes of the last: stop it, or name another Secret in spec.secret.name. Keywright writes it again at %s, or at "+
		"once if annotation %s requests a new key.", writer, r.target.Spec.SecretName, losses.Count,
		losses.PausedUntil().UTC().Format(time.RFC3339), v1alpha1.AnnotationRotate)
}
