package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
)

// Record makes k the current key of o and updates o. Earlier keys end with the overlap, or at once if it is 0. Record
// returns when this server accepts k, or after a timeout: then it will as soon as its watch sees the object.
func (s *Store) Record(ctx context.Context, o Object, k *Key, overlap time.Duration) error {
	before := digestsOf(o)
	err := s.retry(ctx, o, func() error {
		return s.writeKeys(ctx, o, s.succeed(o, k, overlap))
	})
	if err != nil {
		return err
	}
	s.await(ctx, o, func() bool { return s.shows(o, before) })
	return nil
}

// DropKeys removes every key from o and updates o.
func (s *Store) DropKeys(ctx context.Context, o Object) error {
	before := digestsOf(o)
	if len(before) == 0 {
		return nil
	}
	err := s.retry(ctx, o, func() error { return s.writeKeys(ctx, o, nil) })
	if err != nil {
		return err
	}
	s.await(ctx, o, func() bool { return s.shows(o, before) })
	return nil
}

// SetLastUsed records when a key of the object was last accepted. It does not touch a later object of the same name.
func (s *Store) SetLastUsed(ctx context.Context, id ID, uid string, at time.Time) error {
	o := objectOf(id)
	if o == nil {
		return nil
	}
	o.SetUID(types.UID(uid))
	err := s.setStatus(ctx, o, "usage/lastUsedAt", metav1.NewTime(at.Truncate(time.Second)))
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// setStatus sets one field of the status, whatever else has changed. It returns ErrGone if o does not exist any more.
func (s *Store) setStatus(ctx context.Context, o Object, field string, value any) error {
	patch, err := json.Marshal([]map[string]any{
		// A merge patch of the status could test nothing in metadata but the version.
		{"op": "test", "path": "/metadata/uid", "value": o.GetUID()},
		{"op": "add", "path": "/status/" + field, "value": value},
	})
	if err != nil {
		return fmt.Errorf("make a patch: %w", err)
	}
	next := sameKind(o)
	raw := client.RawPatch(types.JSONPatchType, patch)
	err = s.client.Status().Patch(ctx, next, raw, client.FieldOwner(v1alpha1.ServerFieldManager))
	switch {
	case isUnmet(err):
		return ErrGone
	case err != nil:
		return failure(err)
	}
	assign(o, next)
	return nil
}

// isUnmet reports whether a test in a patch has failed. The API server reports that without naming a field.
func isUnmet(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || len(details.Causes) == 0
}

// writeKeys conflicts if the object has changed since it was read.
func (s *Store) writeKeys(ctx context.Context, o Object, keys []v1alpha1.KeyStatus) error {
	metadata := map[string]any{"resourceVersion": o.GetResourceVersion()}
	return s.patch(ctx, o, map[string]any{"metadata": metadata, "status": map[string]any{"keys": keys}}, true)
}

// succeed returns the record with k as the current key. An end that roles set is not part of it: the operator adds that
// to the record, and the server refuses the key from then on in any case.
func (s *Store) succeed(o Object, k *Key, overlap time.Duration) []v1alpha1.KeyStatus {
	now, spec := s.Now(), convert.Spec(o)
	issued := lifecycle.IssueTime(now, o.GetCreationTimestamp().Time)
	next := lifecycle.Key{
		ID: k.Digest.KeyID(), Prefix: k.Prefix, Digest: k.Digest.String(),
		IssuedAt: issued, ExpiresAt: spec.RecordedEnd(issued),
	}
	return convert.KeyStatuses(lifecycle.Succeed(convert.Keys(o.HolderStatus().Keys), next, overlap, now))
}
