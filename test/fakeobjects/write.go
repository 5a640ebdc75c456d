package fakeobjects

import (
	"context"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
)

// FailCall returns a Store.Fail for one call.
func FailCall(call string, err error) func(string) error {
	return func(called string) error {
		if called == call {
			return err
		}
		return nil
	}
}

// FailWrites returns a Store.Fail for every write.
func FailWrites(err error) func(string) error {
	return func(called string) error {
		if slices.Contains([]string{"Create", "Record", "DropKeys", "Change", "RequestRotation", "Delete",
			"CreateWaiting", "IssueWaiting", "StopWaiting", "DeleteWaiting"}, called) {
			return err
		}
		return nil
	}
}

// FailRequests returns a Store.Fail for every call that needs the API server.
func FailRequests(err error) func(string) error {
	return func(called string) error {
		if called == "Generate" {
			return nil
		}
		return err
	}
}

func (s *Store) fail(call string) error {
	if s.Fail == nil {
		return nil
	}
	return s.Fail(call)
}

// Create creates an object with its key. A username can be used once, ignoring case.
func (s *Store) Create(_ context.Context, o objects.Object, k *objects.Key) error {
	if err := s.fail("Create"); err != nil {
		return err
	}
	return s.create(o, k)
}

// create creates an object with its key, or without one if k is nil.
func (s *Store) create(o objects.Object, k *objects.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		if s.isTaken(o.Spec.Username) {
			return objects.ErrExists
		}
		s.completeUser(o)
		o.Spec.Delivery = v1alpha1.DeliveryResponse
	case *v1alpha1.APIKey:
		if existing := s.namedKey(o.Name); existing != nil {
			return &objects.Exists{UID: string(existing.UID)}
		}
		s.completeKey(o)
		o.Spec.Delivery = v1alpha1.DeliveryResponse
	}
	o.SetLabels(map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI})
	if k != nil {
		s.succeed(o, k, 0)
	}
	s.written("create", o)
	s.put(o)
	return nil
}

func (s *Store) isTaken(username string) bool {
	return slices.ContainsFunc(s.objects, func(o objects.Object) bool {
		u, is := o.(*v1alpha1.AdminUser)
		return is && strings.EqualFold(u.EffectiveUsername(), username)
	})
}

// namedKey returns the created APIKey of that name, or nil. An empty name is of no object.
func (s *Store) namedKey(name string) *v1alpha1.APIKey {
	for _, o := range s.objects {
		if k, is := o.(*v1alpha1.APIKey); is && name != "" && k.Name == name && k.Namespace == Namespace {
			return k
		}
	}
	return nil
}

// maySucceed reads o again if another key than the one to succeed is current.
func (s *Store) maySucceed(o objects.Object, k *objects.Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.objects {
		if other.GetUID() == o.GetUID() && !k.MaySucceedIn(other) {
			assign(o, other)
			return false
		}
	}
	return true
}

func (s *Store) ownerOf(k *objects.Key) *v1alpha1.KeyOwner {
	if k.Owner == "" {
		return nil
	}
	return &v1alpha1.KeyOwner{ID: k.Owner, BoundAt: metav1.NewTime(s.Now().Truncate(time.Second))}
}

// Record makes k the current key. The former one is accepted until the end of the overlap, unless it belongs to another
// user.
func (s *Store) Record(_ context.Context, o objects.Object, k *objects.Key, overlap time.Duration) error {
	if err := s.fail("Record"); err != nil {
		return err
	}
	if s.BeforeRecord != nil {
		s.BeforeRecord(o)
	}
	if !s.maySucceed(o, k) {
		return objects.ErrSucceeded
	}
	return s.update(o, "record", func(o objects.Object) {
		stopWaiting(o)
		s.succeed(o, k, overlap)
	})
}

// succeed makes k the current key.
func (s *Store) succeed(o objects.Object, k *objects.Key, overlap time.Duration) {
	status := o.HolderStatus()
	former := status.Keys
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		if o.Status.ID == "" && len(former) == 0 {
			o.Status.ID = o.UserID()
		}
	case *v1alpha1.APIKey:
		if o.OwnerID() == k.Owner {
			break
		}
		if o.Status.Owner != nil {
			former = nil
		}
		o.Status.Owner = s.ownerOf(k)
	}
	status.Keys = []v1alpha1.KeyStatus{s.recorded(k)}
	if overlap > 0 && len(former) > 0 {
		end := metav1.NewTime(s.Now().Add(overlap))
		former[0].ExpiresAt, former[0].State = &end, v1alpha1.KeyOverlapping
		status.Keys = append(status.Keys, former[0])
	}
}

// DropKeys removes all keys.
func (s *Store) DropKeys(_ context.Context, o objects.Object) error {
	if err := s.fail("DropKeys"); err != nil {
		return err
	}
	return s.update(o, "drop", func(o objects.Object) { o.HolderStatus().Keys = nil })
}

// Change changes an object in its current state.
func (s *Store) Change(_ context.Context, o objects.Object, change func(objects.Object)) error {
	if err := s.fail("Change"); err != nil {
		return err
	}
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		changed := o.DeepCopy()
		change(changed)
		if changed.Spec.Role == v1alpha1.RoleUser && s.refusesRemoval() {
			return objects.ErrLastAdmin
		}
	case *v1alpha1.APIKey:
		if s.BeforeChange != nil {
			s.BeforeChange(o)
		}
	}
	return s.update(o, "change", change)
}

func (s *Store) refusesRemoval() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.LastAdminLags--
	return s.LastAdminLags >= 0
}

// RequestRotation annotates an object.
func (s *Store) RequestRotation(_ context.Context, o objects.Object) error {
	if err := s.fail("RequestRotation"); err != nil {
		return err
	}
	return s.update(o, "ask", func(o objects.Object) {
		annotated := metav1.ObjectMeta{Annotations: o.GetAnnotations()}
		metav1.SetMetaDataAnnotation(&annotated, v1alpha1.AnnotationRotate, s.Now().String())
		o.SetAnnotations(annotated.Annotations)
	})
}

// update changes the stored object and copies it to o.
func (s *Store) update(o objects.Object, verb string, change func(objects.Object)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.objects, func(other objects.Object) bool { return other.GetUID() == o.GetUID() })
	if i < 0 {
		return objects.ErrGone
	}
	current := s.objects[i].DeepCopyObject().(objects.Object)
	change(current)
	s.written(verb, current)
	s.put(current)
	assign(o, current)
	return nil
}

// assign copies from to o, which has the same kind.
func assign(o, from objects.Object) {
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		from.(*v1alpha1.AdminUser).DeepCopyInto(o)
	case *v1alpha1.APIKey:
		from.(*v1alpha1.APIKey).DeepCopyInto(o)
	}
}

// Delete removes an object.
func (s *Store) Delete(_ context.Context, o objects.Object) error {
	if err := s.fail("Delete"); err != nil {
		return err
	}
	if _, is := o.(*v1alpha1.AdminUser); is && s.refusesRemoval() {
		return objects.ErrLastAdmin
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.remove(o) {
		return objects.ErrGone
	}
	s.Index.Delete(idOf(o))
	s.written("delete", o)
	return nil
}

// Discard removes an object, unless the call is made to fail.
func (s *Store) Discard(_ context.Context, o objects.Object) {
	if s.fail("Discard") != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.remove(o) {
		s.Index.Delete(idOf(o))
		s.written("discard", o)
	}
}

func (s *Store) written(verb string, o objects.Object) {
	s.writes = append(s.writes, verb+" "+nameOf(o))
}

// Event keeps an event.
func (s *Store) Event(o objects.Object, reason, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, Event{Name: nameOf(o), Reason: reason, Message: message})
}
