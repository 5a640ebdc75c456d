package objects

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
)

// maxRefused is how many refused keys a status has room for.
const maxRefused = 32

// SetRefused records that the server refuses a key of the object for a reason of its own, and removes the entry of the
// key if the reason is empty. It writes only what changes, and does not touch a later object of the same name.
func (s *Store) SetRefused(ctx context.Context, id ID, uid, keyID, reason string) error {
	return s.setRefused(ctx, id, uid, keyID, reason, func(Object) {})
}

// ReportRefused is SetRefused with an event on the object. Of several servers that report the same key, one writes it.
func (s *Store) ReportRefused(ctx context.Context, id ID, uid, keyID, reason, note string) error {
	return s.setRefused(ctx, id, uid, keyID, reason, func(o Object) { s.Warn(o, reason, note) })
}

// setRefused calls written after a write.
func (s *Store) setRefused(ctx context.Context, id ID, uid, keyID, reason string, written func(Object)) error {
	return s.observe(ctx, id, uid, func(o Object) error { return s.writeRefused(ctx, o, keyID, reason, written) })
}

// observe reads exactly the object with this uid and writes to it, and repeats both after a conflict. It does nothing
// if the object is gone.
func (s *Store) observe(ctx context.Context, id ID, uid string, write func(Object) error) error {
	o := objectOf(id)
	if o == nil {
		return nil
	}
	o.SetUID(types.UID(uid))
	err := s.reread(ctx, o)
	if err == nil {
		err = s.retry(ctx, o, func() error { return write(o) })
	}
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// writeRefused conflicts if the object has changed since it was read.
func (s *Store) writeRefused(ctx context.Context, o Object, keyID, reason string, written func(Object)) error {
	status := o.HolderStatus()
	refused := mergeRefused(status.Usage.Refused, status.Keys, keyID, reason)
	if slices.Equal(refused, status.Usage.Refused) {
		return nil
	}
	if err := s.writeUsage(ctx, o, map[string]any{"refused": refused}); err != nil {
		return err
	}
	written(o)
	return nil
}

// writeUsage sets fields of status.usage. It conflicts if the object has changed since it was read.
func (s *Store) writeUsage(ctx context.Context, o Object, fields map[string]any) error {
	metadata := map[string]any{"resourceVersion": o.GetResourceVersion()}
	body := map[string]any{"metadata": metadata, "status": map[string]any{"usage": fields}}
	return s.patch(ctx, o, body, true)
}

// mergeRefused returns the list with the entry of one key set, or removed for an empty reason. Keys that are no longer
// recorded leave the list.
func mergeRefused(
	list []v1alpha1.RefusedKey, recorded []v1alpha1.KeyStatus, keyID, reason string,
) []v1alpha1.RefusedKey {
	merged := slices.Clone(list)
	if at := slices.IndexFunc(merged, func(r v1alpha1.RefusedKey) bool { return r.ID == keyID }); at >= 0 {
		merged[at].Reason = reason
	} else {
		merged = append(merged, v1alpha1.RefusedKey{ID: keyID, Reason: reason})
	}
	merged = slices.DeleteFunc(merged, func(r v1alpha1.RefusedKey) bool {
		isRecorded := slices.ContainsFunc(recorded, func(k v1alpha1.KeyStatus) bool { return k.ID == r.ID })
		return r.Reason == "" || !isRecorded
	})
	return merged[max(0, len(merged)-maxRefused):]
}
