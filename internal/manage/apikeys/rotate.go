package apikeys

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
)

// rotate issues a successor. Its TTL starts again, and ExpiresAt stays.
func (op *operation) rotate(ctx context.Context, id string, check func() error) (*Issued, error) {
	if err := op.authorizeRotation(id); err != nil {
		return nil, err
	}
	input := manage.Read[struct{}](func() (nothing struct{}, err error) { return nothing, check() })
	if _, err := input.By(op.Gate, op.caller, errUnauthorized); err != nil {
		return nil, err
	}
	k, err := op.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := op.checkRotation(k); err != nil {
		return nil, err
	}
	if k.Spec.Delivery != v1alpha1.DeliveryResponse {
		return op.requestRotation(ctx, k)
	}
	secret, err := op.Store.Generate()
	if err != nil {
		return nil, err
	}
	if secret.Owner = op.owner; op.renews {
		// A key that renews itself stays the key of its user.
		secret.Owner = k.OwnerID()
	}
	if err := op.Store.Record(ctx, k, secret, convert.Spec(k).Overlap); err != nil {
		return nil, err
	}
	op.event(k, v1alpha1.EventKeyRotated, "Rotated")
	return op.issued(ctx, k, secret.Plaintext)
}

// authorizeRotation refuses a caller who may neither change the keys of the subject nor renew itself.
func (op *operation) authorizeRotation(id string) error {
	if op.renews = op.mayRenew(op.caller, op.subject, id); op.renews {
		return nil
	}
	return op.authorize()
}

// checkRotation refuses a caller that the successor exceeds: the caller gets it.
func (op *operation) checkRotation(k *v1alpha1.APIKey) error {
	if op.renews && !isLatest(k, op.caller.KeyID) {
		return manage.Errorf(manage.Forbidden, NotPermitted+": another key has succeeded the caller's")
	}
	if err := op.checkMayOwnKeys(k.Spec.Subject); err != nil {
		return err
	}
	if err := op.checkIssue(k, op.Now()); err != nil {
		return err
	}
	end := convert.Instant(k.Spec.ExpiresAt)
	switch {
	case k.IsRevoked():
		return errRevoked(k)
	case lifecycle.Ended(end, op.Now()):
		return manage.Errorf(manage.Conflict, "API key %s ended at %s, and so would a new one: set another end first",
			nameOf(k), end.UTC().Format(time.RFC3339))
	}
	return nil
}

// isLatest reports whether a key is recorded and no other has succeeded it. The index of this server may not show a
// successor yet.
func isLatest(k *v1alpha1.APIKey, keyID string) bool {
	return slices.ContainsFunc(k.Status.Keys, func(recorded v1alpha1.KeyStatus) bool {
		return recorded.ID == keyID && recorded.State != v1alpha1.KeyOverlapping
	})
}

// requestRotation leaves the rotation to the operator, the only writer of Secrets.
func (op *operation) requestRotation(ctx context.Context, k *v1alpha1.APIKey) (*Issued, error) {
	if err := op.Store.RequestRotation(ctx, k); err != nil {
		return nil, err
	}
	op.event(k, v1alpha1.EventRotationRequested, "Rotation requested")
	return op.issued(ctx, k, "")
}

// issued returns the token even when the last use can't be read: this reply is the only place for it.
func (op *operation) issued(ctx context.Context, k *v1alpha1.APIKey, token string) (*Issued, error) {
	view, err := op.shown(ctx, k)
	if err != nil {
		return issuedKey(op.viewOf(k), token), nil //nolint:nilerr // only the last use is missing, and toError logged why
	}
	return issuedKey(*view, token), nil
}
