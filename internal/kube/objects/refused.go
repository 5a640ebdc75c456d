package objects

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
)

// maxRefused is how many refused keys a status has room for.
const maxRefused = 32

// SetRefused records that the server refuses a key of the object for a reason of its own, and removes the entry of the
// key if the reason is empty. It writes only what changes, and does not touch a later object of the same name.
func (s *Store) SetRefused(ctx context.Context, id ID, uid, keyID, reason string) error {
	o := objectOf(id)
	if o == nil {
		return nil
	}
	o.SetUID(types.UID(uid))
	for range maxTries {
		err := s.reread(ctx, o)
		if err == nil {
			err = s.writeRefused(ctx, o, keyID, reason)
		}
		switch {
		case errors.Is(err, ErrGone):
			return nil
		case !errors.Is(err, errChanged):
			return err
		}
	}
	return fmt.Errorf("%w: too many conflicting writes to %s", ErrUnavailable, nameOf(o))
}

// errChanged means that another writer has changed the list since it was read.
var errChanged = errors.New("the refused keys have changed")

func (s *Store) writeRefused(ctx context.Context, o Object, keyID, reason string) error {
	status := o.HolderStatus()
	refused := mergeRefused(status.Usage.Refused, status.Keys, keyID, reason)
	if slices.Equal(refused, status.Usage.Refused) {
		return nil
	}
	// A list that is absent equals null.
	const path = "/status/usage/refused"
	err := s.patchStatus(ctx, o,
		operation{"test", path, status.Usage.Refused}, operation{"add", path, refused})
	if errors.Is(err, ErrGone) {
		// Or one of the other tests has failed. Reading it again decides.
		return errChanged
	}
	return err
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
