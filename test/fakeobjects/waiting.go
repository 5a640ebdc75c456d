package fakeobjects

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/objects"
)

// CreateWaiting creates an object that waits for its first key.
func (s *Store) CreateWaiting(_ context.Context, o objects.Object, until time.Time) error {
	if err := s.fail("CreateWaiting"); err != nil {
		return err
	}
	o.SetAnnotations(map[string]string{v1alpha1.AnnotationClaimUntil: until.UTC().Format(time.RFC3339)})
	return s.create(o, nil)
}

// IssueWaiting records the key of an object that waits.
func (s *Store) IssueWaiting(_ context.Context, o objects.Object, k *objects.Key) error {
	if err := s.fail("IssueWaiting"); err != nil {
		return err
	}
	if !s.waits(o) {
		return objects.ErrNotWaiting
	}
	return s.update(o, "issue", func(o objects.Object) { s.succeed(o, k, 0) })
}

// StopWaiting removes the annotation of an object.
func (s *Store) StopWaiting(_ context.Context, id verify.ID, uid string) error {
	if err := s.fail("StopWaiting"); err != nil {
		return err
	}
	if o := s.object(id, uid); o != nil && s.waits(o) {
		return s.update(o, "stop", stopWaiting)
	}
	return nil
}

func stopWaiting(o objects.Object) {
	annotations := o.GetAnnotations()
	delete(annotations, v1alpha1.AnnotationClaimUntil)
	o.SetAnnotations(annotations)
}

// DeleteWaiting deletes an object that waits.
func (s *Store) DeleteWaiting(ctx context.Context, id verify.ID, uid string) (objects.Object, error) {
	if err := s.fail("DeleteWaiting"); err != nil {
		return nil, err
	}
	o := s.object(id, uid)
	if o == nil || !s.waits(o) {
		return nil, nil
	}
	return o, s.Delete(ctx, o)
}

// waits reports whether the present state of an object waits.
func (s *Store) waits(o objects.Object) bool {
	present := s.object(idOf(o), string(o.GetUID()))
	if present == nil {
		return false
	}
	_, waiting := present.GetAnnotations()[v1alpha1.AnnotationClaimUntil]
	return waiting
}

// object returns a copy of an object, or nil.
func (s *Store) object(id verify.ID, uid string) objects.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.objects, func(o objects.Object) bool { return idOf(o) == id && string(o.GetUID()) == uid })
	if i < 0 {
		return nil
	}
	return s.objects[i].DeepCopyObject().(objects.Object)
}
