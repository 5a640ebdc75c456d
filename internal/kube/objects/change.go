package objects

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// maxTries bounds the retries of a write that conflicts with others.
const maxTries = 20

// Change changes the present state of o and updates o. change sets metadata and spec, and may be called several times.
// When Change returns, the change is in force at this server.
func (s *Store) Change(ctx context.Context, o Object, change func(Object)) error {
	err := s.retry(ctx, o, func() error {
		changed := o.DeepCopyObject().(Object)
		change(changed)
		patch, err := client.MergeFromWithOptions(o, client.MergeFromWithOptimisticLock{}).Data(changed)
		if err != nil {
			return fmt.Errorf("make a patch: %w", err)
		}
		return s.send(ctx, o, patch, false)
	})
	if err != nil {
		return err
	}
	s.awaitShown(ctx, o)
	return nil
}

// Delete deletes o, and makes its keys refused for good. When it returns, this server refuses all keys of o, and of an
// AdminUser those that belong to its user: it has seen them, and then their end.
func (s *Store) Delete(ctx context.Context, o Object) error {
	if err := s.retry(ctx, o, func() error { return s.revokeAndRemove(ctx, o) }); err != nil {
		return err
	}
	s.awaitDeleted(ctx, o)
	return nil
}

func (s *Store) awaitDeleted(ctx context.Context, o Object) {
	before := digestsOf(o)
	s.await(ctx, o, func() bool { return s.View.Shows(o) && s.refusesAll(before, s.Now()) && !s.showsUser(o) })
}

// revokeAndRemove deletes exactly this version of o, whose keys are known. A deletion that the API server refuses must
// not revoke them, so a dry run comes first.
func (s *Store) revokeAndRemove(ctx context.Context, o Object) error {
	uid, version := o.GetUID(), o.GetResourceVersion()
	exactly := client.Preconditions{UID: &uid, ResourceVersion: &version}
	if err := s.client.Delete(ctx, sameKind(o), exactly, client.DryRunAll); err != nil {
		return failure(err)
	}
	if err := s.revoke(ctx, o); err != nil {
		return err
	}
	return failure(s.client.Delete(ctx, sameKind(o), exactly))
}

// revoke makes the keys that o records refused for good.
func (s *Store) revoke(ctx context.Context, o Object) error {
	keys := digestsOf(o)
	if s.Revocations == nil || len(keys) == 0 {
		return nil
	}
	if err := s.Revocations.Revoke(ctx, keys); err != nil {
		return fmt.Errorf("%w: %w", ErrNotRevoked, err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, o Object) error {
	uid := o.GetUID()
	err := s.client.Delete(ctx, sameKind(o), client.Preconditions{UID: &uid})
	if apierrors.IsConflict(err) {
		// Another object has taken the name.
		return ErrGone
	}
	return failure(err)
}

// RequestRotation requests a new key in o's Secret from the operator.
func (s *Store) RequestRotation(ctx context.Context, o Object) error {
	annotations := map[string]any{v1alpha1.AnnotationRotate: s.Now().UTC().Format(time.RFC3339Nano)}
	return s.retry(ctx, o, func() error {
		metadata := map[string]any{"resourceVersion": o.GetResourceVersion(), "annotations": annotations}
		return s.patch(ctx, o, map[string]any{"metadata": metadata}, false)
	})
}

// patch sends a merge patch and updates o.
func (s *Store) patch(ctx context.Context, o Object, body map[string]any, status bool) error {
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("make a patch: %w", err)
	}
	return s.send(ctx, o, patch, status)
}

func (s *Store) send(ctx context.Context, o Object, patch []byte, status bool) (err error) {
	// A new object for the reply: decoding into o would keep fields that the reply leaves out.
	next, raw := sameKind(o), client.RawPatch(types.MergePatchType, patch)
	if status {
		err = s.client.Status().Patch(ctx, next, raw, client.FieldOwner(v1alpha1.ServerFieldManager))
	} else {
		err = s.client.Patch(ctx, next, raw, client.FieldOwner(v1alpha1.ServerFieldManager))
	}
	if err != nil {
		return failure(err)
	}
	assign(o, next)
	return nil
}

// retry repeats a write that conflicts, after reading o again.
func (s *Store) retry(ctx context.Context, o Object, write func() error) error {
	for range maxTries {
		err := write()
		if !apierrors.IsConflict(err) {
			return err
		}
		if err := s.reread(ctx, o); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: too many conflicting writes to %s", ErrUnavailable, nameOf(o))
}

func nameOf(o Object) string {
	return fmt.Sprintf("%s %s/%s", keyholder.KindOf(o), o.GetNamespace(), o.GetName())
}
