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

// undoTimeout bounds the removal of an object that could not be completed.
const undoTimeout = 5 * time.Second

// How long to wait for the deletion of an object of the same name, and how often to check.
const (
	nameHeld    = 10 * time.Second
	lookIfNamed = 100 * time.Millisecond
)

// Create creates o and records k as its key. It sets the namespace, the mark of the API, the delivery, and the name,
// unless an APIKey has one; the rest of the spec is the caller's. When it returns, this server accepts the key, unless
// the spec refuses it. An object that can't be given its key is deleted again.
func (s *Store) Create(ctx context.Context, o Object, k *Key) error {
	s.complete(o)
	if err := s.create(ctx, o); err != nil {
		return err
	}
	// The operator may have written conditions meanwhile. They stay, and the patch depends on no version.
	if err := s.setStatus(ctx, o, s.recordOf(o, k, 0)); err != nil {
		return s.undo(ctx, o, err)
	}
	s.awaitShown(ctx, o)
	return nil
}

func (s *Store) complete(o Object) {
	o.SetNamespace(s.Namespace)
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelCreatedBy] = v1alpha1.CreatedByAPI
	o.SetLabels(labels)
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		o.Name, o.Spec.Delivery = ObjectName(o.Spec.Username), v1alpha1.DeliveryResponse
	case *v1alpha1.APIKey:
		o.Spec.Delivery = v1alpha1.DeliveryResponse
		if o.Name == "" {
			o.GenerateName = keyPrefix(o.Spec.DisplayName)
		}
	}
}

// create waits while an object of the same name is being deleted. If an object of another username has the name, it
// chooses another name.
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
			return &Exists{UID: string(held.GetUID())}
		}
		if !program.Pause(ctx, lookIfNamed) {
			return ErrExists
		}
	}
}

// rename gives a new AdminUser another name if its name belongs to another user, and reports whether it did.
func (*Store) rename(o, held Object) bool {
	user, ok := o.(*v1alpha1.AdminUser)
	other, both := held.(*v1alpha1.AdminUser)
	if !ok || !both || username.Equal(other.EffectiveUsername(), user.Spec.Username) {
		return false
	}
	before := user.Name
	user.Name = hashedName(user.Spec.Username)
	return user.Name != before
}

// undo deletes an object that has no key.
func (s *Store) undo(ctx context.Context, o Object, why error) error {
	s.Discard(ctx, o)
	return fmt.Errorf("record the key: %w", why)
}

// Discard deletes an object whose creation can't be completed, even if the request has been cancelled. A key of the
// object was not shown, so it is not remembered as revoked.
func (s *Store) Discard(ctx context.Context, o Object) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.remove(ctx, o); err != nil && !errors.Is(err, ErrGone) {
		s.Log.ErrorContext(ctx, "An object whose creation failed can't be deleted: delete it",
			"object", nameOf(o), "error", err.Error())
	}
}
