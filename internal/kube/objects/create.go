package objects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/program"
)

// undoTimeout is how long the removal of what could not be finished may take.
const undoTimeout = 5 * time.Second

// How long an object that is being deleted may still have the name, and how often that is looked at.
const (
	nameHeld    = 10 * time.Second
	lookIfNamed = 100 * time.Millisecond
)

// Create makes o and records k as its key. It fills in where o is, its name, that the API made it, and that its key is
// delivered in a reply; spec is the caller's. When it returns, this server accepts the key, unless the object says
// otherwise. What could not be given its key is not left behind.
func (s *Store) Create(ctx context.Context, o Object, k *Key) error {
	s.complete(o)
	if err := s.create(ctx, o); err != nil {
		return err
	}
	// The operator may have written its conditions meanwhile, which stay: no version is asked for, and nothing tried again.
	if err := s.setStatus(ctx, o, "keys", s.succeed(o, k, 0)); err != nil {
		return s.undo(ctx, o, err)
	}
	s.await(ctx, o, func() bool { return s.shows(o, nil) })
	return nil
}

func (s *Store) complete(o Object) {
	o.SetNamespace(s.Namespace)
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationCreatedBy] = v1alpha1.CreatedByAPI
	o.SetAnnotations(annotations)
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		o.Name, o.Spec.Delivery = ObjectName(o.Spec.Username), v1alpha1.DeliveryResponse
	case *v1alpha1.APIKey:
		o.GenerateName, o.Spec.Delivery = keyPrefix(o.Spec.DisplayName), v1alpha1.DeliveryResponse
	}
}

// create waits for a name whose object is on its way out. One that an object of another username has is not waited for.
func (s *Store) create(ctx context.Context, o Object) error {
	ctx, cancel := context.WithTimeout(ctx, nameHeld)
	defer cancel()
	for {
		err := failure(s.client.Create(ctx, o, client.FieldOwner(v1alpha1.ServerFieldManager)))
		if !errors.Is(err, ErrExists) || o.GetGenerateName() != "" {
			return err
		}
		held, lookErr := s.named(ctx, o)
		switch {
		case lookErr != nil:
			return lookErr
		case held == nil:
		case held.GetDeletionTimestamp() == nil && !s.rename(o, held):
			return ErrExists
		}
		if !program.Pause(ctx, lookIfNamed) {
			return ErrExists
		}
	}
}

// rename gives a new AdminUser another name when the one it has is another user's.
func (*Store) rename(o, held Object) bool {
	user, is := o.(*v1alpha1.AdminUser)
	other, both := held.(*v1alpha1.AdminUser)
	if !is || !both || username.Equal(other.EffectiveUsername(), user.Spec.Username) {
		return false
	}
	before := user.Name
	user.Name = hashedName(user.Spec.Username)
	return user.Name != before
}

// undo takes back an object that has no key, whatever became of the request meanwhile.
func (s *Store) undo(ctx context.Context, o Object, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.remove(ctx, o); err != nil && !errors.Is(err, ErrGone) {
		s.Log.ErrorContext(ctx, "An object was made that has no key, and can't be deleted: delete it", "object", nameOf(o), "error", err.Error())
	}
	return fmt.Errorf("record the key: %w", why)
}
