package users

import (
	"context"
	"errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
)

// HandOver is a rotation of an admin's key whose new key goes to the holder of a claim link.
type HandOver struct {
	// Record is the AdminUser as it is now.
	Record *v1alpha1.AdminUser

	*Service
	caller manage.Caller
}

// HandOver judges a rotation of an admin's key as RotateKey does, and changes nothing. It refuses a key that the
// operator delivers in a Secret, and one of an admin who waits for the first key. It leaves the audit entry to the
// caller of this function.
func (s *Service) HandOver(ctx context.Context, caller manage.Caller, name string, r Rotation) (*HandOver, error) {
	if err := s.allowAdmin(caller); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case user == nil || !user.IsAdmin():
		return nil, errNotAdmin(name)
	case !(&objects.Key{Succeeds: r.KeyID}).MaySucceedIn(user):
		return nil, errRotated(user)
	case secretOf(user) != nil:
		return nil, errInSecret(user)
	case objects.Waits(user):
		return nil, manage.Errorf(manage.Conflict, "User '%s' waits for the first key, which another claim link issues",
			user.EffectiveUsername())
	}
	return &HandOver{Record: user, Service: s, caller: caller}, nil
}

// Current returns the key id of the key that the rotation replaces, or "".
func (h *HandOver) Current() string {
	if current := currentKey(h.Record); current != nil {
		return current.ID
	}
	return ""
}

// Issue records k in place of the current key. The error wraps objects.ErrSucceeded if another key is current.
func (h *HandOver) Issue(ctx context.Context, k *objects.Key) (*Issued, error) {
	err := h.Store.Record(ctx, h.Record, k, overlapOf(h.Record))
	switch {
	case errors.Is(err, objects.ErrSucceeded) || errors.Is(err, objects.ErrGone):
		return nil, objects.ErrSucceeded
	case err != nil:
		return nil, failure(err)
	}
	return h.rotated(ctx, h.caller, h.Record, k, "Rotated by a claim link", " the link was made"), nil
}
