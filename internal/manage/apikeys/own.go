package apikeys

import (
	"context"
	"slices"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Presented is an APIKey, and the key of it that a caller has presented.
type Presented struct {
	Key
	// Recorded is the caller's key as the object records it. It may be an overlapping one.
	Recorded lifecycle.Key
}

// Presented returns the APIKey of the caller's key. That takes no right.
func (s *Service) Presented(ctx context.Context, caller manage.Caller) (*Presented, error) {
	k, err := s.Store.Key(ctx, caller.KeyObject())
	if err != nil {
		return nil, s.toError(ctx, err)
	}
	if k == nil || string(k.UID) != caller.KeyObjectUID() || k.DeletionTimestamp != nil {
		return nil, errUnauthorized
	}
	recorded := convert.Keys(k.Status.Keys)
	i := slices.IndexFunc(recorded, func(one lifecycle.Key) bool { return one.ID == caller.KeyID })
	if i < 0 {
		// This server does not know yet that the key has ended.
		return nil, errUnauthorized
	}
	view, err := s.shown(ctx, k)
	if err != nil {
		return nil, err
	}
	return &Presented{Key: *view, Recorded: recorded[i]}, nil
}

// RotateOwn is Rotate for the key that the caller presents, and no other. The caller gets the new key: one that the
// operator delivers in a Secret is not rotated.
func (s *Service) RotateOwn(
	ctx context.Context, caller manage.Caller, read manage.Read[*Rotation],
) (*Issued, error) {
	id := caller.KeyObjectUID()
	op := s.begin(caller, audit.KeyRotate, ownSubject(caller), id)
	op.own = true
	issued, err := op.rotate(ctx, id, read)
	if err := op.end(ctx, err); err != nil {
		return nil, err
	}
	return issued, nil
}

var (
	errMayNotRenew = &manage.Error{
		Kind: manage.Forbidden, Right: ActionRenewSelf,
		Text: NotPermitted + ": a key needs " + ActionRenewSelf + " to renew itself",
	}
	errSucceeded = &manage.Error{
		Kind: manage.Forbidden, Text: NotPermitted + ": another key has succeeded the caller's",
	}
)

// errInSecret says how a key is rotated that the operator delivers in a Secret.
func errInSecret(k *v1alpha1.APIKey) error {
	return manage.Errorf(manage.Conflict, "API key %s is delivered in Secret %s/%s: read the present key there. "+
		"spec.rotation of APIKey %s/%s, or annotation %s on it, replaces the key",
		nameOf(k), k.Namespace, k.EffectiveSecretName(), k.Namespace, k.Name, v1alpha1.AnnotationRotate)
}
