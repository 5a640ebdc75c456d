package apikeys

import (
	"context"
	"errors"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// HandOver is a rotation of an APIKey whose new key goes to the holder of a claim link.
type HandOver struct {
	// Key is the APIKey as it is now.
	Key
	// Owner is the id of the user that the key will belong to, or "".
	Owner string

	op      *operation
	record  *v1alpha1.APIKey
	overlap time.Duration
}

// HandOver judges a rotation of a key as Rotate does, and changes nothing. It refuses a key that renews itself, one
// that the operator delivers in a Secret, and one that waits for its first key. It leaves the audit entry to the caller
// of this function.
func (s *Service) HandOver(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string, r *Rotation,
) (*HandOver, error) {
	op := s.begin(caller, audit.KeyRotate, subject, id)
	h, err := op.handOver(ctx, id, r)
	if err != nil {
		return nil, op.explained(ctx, err)
	}
	return h, nil
}

func (op *operation) handOver(ctx context.Context, id string, r *Rotation) (*HandOver, error) {
	if err := op.authorize(); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	k, overlap, err := op.rotatable(ctx, id, r)
	switch {
	case err != nil:
		return nil, err
	case k.Spec.Delivery != v1alpha1.DeliveryResponse:
		return nil, errInSecret(k)
	case objects.Waits(k):
		return nil, manage.Errorf(manage.Conflict, "API key %s waits for its first key, which another claim link issues",
			nameOf(k))
	}
	return &HandOver{Key: op.viewOf(k), Owner: op.owner, op: op, record: k, overlap: overlap}, nil
}

// Current returns the key id of the key that the rotation replaces, or "".
func (h *HandOver) Current() string { return h.KeyID }

// Issue records k in place of the current key. The error wraps objects.ErrSucceeded if another key is current.
func (h *HandOver) Issue(ctx context.Context, k *objects.Key) (*Issued, error) {
	k.Owner = h.op.owner
	issued, err := h.op.succeed(ctx, h.record, k, h.overlap, "Rotated by a claim link that was made")
	switch {
	case errors.Is(err, objects.ErrGone):
		return nil, objects.ErrSucceeded
	case err != nil && !errors.Is(err, objects.ErrSucceeded):
		return nil, h.op.explained(ctx, err)
	}
	return issued, err
}
