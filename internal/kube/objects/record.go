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

// Record makes k the current key of o and updates o. Earlier keys end with the overlap, or at once if it is 0, or if
// they belong to another user than k. If k may succeed one key or none, and another is current, nothing changes, o is
// read again and the error is ErrSucceeded. Record returns when this server accepts k, or after a timeout: then it will
// as soon as its watch sees the object.
//
// An object that waits for a claim stops waiting before k is recorded, so that no claim replaces k.
func (s *Store) Record(ctx context.Context, o Object, k *Key, overlap time.Duration) error {
	if err := s.stopWaiting(ctx, o); err != nil {
		return err
	}
	err := s.retry(ctx, o, func() error {
		if !k.MaySucceedIn(o) {
			return ErrSucceeded
		}
		return s.writeKeys(ctx, o, s.recordOf(o, k, overlap))
	})
	if err != nil {
		return err
	}
	s.awaitShown(ctx, o)
	return nil
}

// MaySucceedIn reports whether the current key of o is the one that k may succeed.
func (k *Key) MaySucceedIn(o Object) bool {
	if k.Succeeds == "" && !k.First {
		return true
	}
	current := lifecycle.Current(convert.Keys(o.HolderStatus().Keys))
	if current == nil {
		return k.First
	}
	return current.ID == k.Succeeds
}

// DropKeys removes every key from o, makes the keys refused for good, and updates o.
func (s *Store) DropKeys(ctx context.Context, o Object) error {
	if len(digestsOf(o)) == 0 {
		return nil
	}
	err := s.retry(ctx, o, func() error {
		if err := s.revoke(ctx, o); err != nil {
			return err
		}
		return s.writeKeys(ctx, o, map[string]any{"keys": nil})
	})
	if err != nil {
		return err
	}
	s.awaitShown(ctx, o)
	return nil
}

// SetLastUsed records when a key of the object was last accepted. It does not touch a later object of the same name.
func (s *Store) SetLastUsed(ctx context.Context, id ID, uid string, at time.Time) error {
	o := objectOf(id)
	if o == nil {
		return nil
	}
	o.SetUID(types.UID(uid))
	err := s.setStatus(ctx, o, map[string]any{"usage/lastUsedAt": metav1.NewTime(at.Truncate(time.Second))})
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// setStatus sets fields of the status, whatever else has changed. It returns ErrGone if o does not exist any more.
func (s *Store) setStatus(ctx context.Context, o Object, fields map[string]any) error {
	// A merge patch of the status could test nothing in metadata but the version.
	operations := []map[string]any{{"op": "test", "path": "/metadata/uid", "value": o.GetUID()}}
	for field, value := range fields {
		operations = append(operations, map[string]any{"op": "add", "path": "/status/" + field, "value": value})
	}
	patch, err := json.Marshal(operations)
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
func (s *Store) writeKeys(ctx context.Context, o Object, status map[string]any) error {
	metadata := map[string]any{"resourceVersion": o.GetResourceVersion()}
	return s.patch(ctx, o, map[string]any{"metadata": metadata, "status": status}, true)
}

// recordOf returns the fields of the status that change with k as the current key: the keys, and whose they are. A key
// never passes to another user, so a key that belongs to another ends every earlier one.
func (s *Store) recordOf(o Object, k *Key, overlap time.Duration) map[string]any {
	fields := map[string]any{}
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		if o.Status.ID == "" {
			fields["id"] = o.UserID()
		}
	case *v1alpha1.APIKey:
		if o.OwnerID() == k.Owner {
			break
		}
		fields["owner"] = s.ownerOf(k)
		if o.Status.Owner != nil {
			overlap = 0
		}
	}
	fields["keys"] = s.succeed(o, k, overlap)
	return fields
}

// ownerOf returns nil for a key that belongs to no AdminUser.
func (s *Store) ownerOf(k *Key) *v1alpha1.KeyOwner {
	if k.Owner == "" {
		return nil
	}
	return &v1alpha1.KeyOwner{ID: k.Owner, BoundAt: metav1.NewTime(s.Now().Truncate(time.Second))}
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
	return convert.KeyStatuses(lifecycle.Succeed(convert.RecordedKeys(o.HolderStatus()), next, overlap, now))
}
