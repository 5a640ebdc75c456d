package objects

import (
	"context"
	"errors"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
)

// An object waits for its first key as long as it has annotation AnnotationClaimUntil. No key that is recorded
// meanwhile was shown: the annotation is removed before or after a key is.

// CreateWaiting creates o without a key. It sets what Create sets, and until when o waits for its first key.
func (s *Store) CreateWaiting(ctx context.Context, o Object, until time.Time) error {
	s.complete(o)
	o.SetAnnotations(map[string]string{v1alpha1.AnnotationClaimUntil: until.UTC().Format(time.RFC3339)})
	if err := s.create(ctx, o); err != nil {
		return err
	}
	s.awaitShown(ctx, o)
	return nil
}

// IssueWaiting records k as the key of an object that waits for its first one, in place of any other, and updates o. It
// returns ErrNotWaiting for another object. The object waits until StopWaiting is called.
func (s *Store) IssueWaiting(ctx context.Context, o Object, k *Key) error {
	err := s.retry(ctx, o, func() error {
		if !Waits(o) {
			return ErrNotWaiting
		}
		return s.writeKeys(ctx, o, s.recordOf(o, k, 0))
	})
	if err != nil {
		return err
	}
	s.awaitShown(ctx, o)
	return nil
}

// StopWaiting ends the waiting of an object that a reply shows a key of. It does nothing for an object that is gone, or
// waits no more.
func (s *Store) StopWaiting(ctx context.Context, id ID, uid string) error {
	o, err := s.present(ctx, id, uid)
	if o == nil || err != nil {
		return err
	}
	return ignoreGone(s.stopWaiting(ctx, o))
}

func (s *Store) stopWaiting(ctx context.Context, o Object) error {
	return s.retry(ctx, o, func() error {
		if !Waits(o) {
			return nil
		}
		metadata := map[string]any{
			"resourceVersion": o.GetResourceVersion(),
			"annotations":     map[string]any{v1alpha1.AnnotationClaimUntil: nil},
		}
		return s.patch(ctx, o, map[string]any{"metadata": metadata}, false)
	})
}

// DeleteWaiting deletes an object if it waits for its first key, and returns it. It returns nil if the object is gone
// or waits no more. A key that was recorded meanwhile is refused for good.
func (s *Store) DeleteWaiting(ctx context.Context, id ID, uid string) (Object, error) {
	o, err := s.present(ctx, id, uid)
	if o == nil || err != nil {
		return nil, err
	}
	err = s.retry(ctx, o, func() error {
		if !Waits(o) {
			return ErrNotWaiting
		}
		return s.revokeAndRemove(ctx, o)
	})
	if errors.Is(err, ErrNotWaiting) || errors.Is(err, ErrGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s.awaitDeleted(ctx, o)
	return o, nil
}

// Waits reports whether an object waits for its first key.
func Waits(o Object) bool {
	_, waiting := o.GetAnnotations()[v1alpha1.AnnotationClaimUntil]
	return waiting && !FromManifest(o)
}

// present returns the object with this name and uid, or nil.
func (s *Store) present(ctx context.Context, id ID, uid string) (Object, error) {
	named := objectOf(id)
	if named == nil {
		return nil, nil
	}
	o, err := s.named(ctx, named)
	if err != nil || o == nil || string(o.GetUID()) != uid || o.GetDeletionTimestamp() != nil {
		return nil, err
	}
	return o, nil
}

func ignoreGone(err error) error {
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}
