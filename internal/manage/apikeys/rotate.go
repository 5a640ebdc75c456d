package apikeys

import (
	"context"
	"errors"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
)

// Rotation is how to rotate a key. The zero Rotation replaces whatever key is current, with the overlap of the spec.
type Rotation struct {
	// KeyID is the key id of the key that the caller takes for the current one. Another current key is a conflict, so
	// that a request which is sent twice rotates once. It may be empty.
	KeyID string
	// Overlap is how long the current key is accepted beside its successor, in whole seconds up to MaxOverlap, and no
	// longer than spec.rotation.overlap if the spec has it. Nil: as the spec says.
	Overlap *time.Duration
}

// MaxOverlap bounds Rotation.Overlap.
const MaxOverlap = lifecycle.MaxOverlapOfRotation

func (r *Rotation) check() error {
	switch {
	case r.KeyID != "" && !pepper.IsKeyID(r.KeyID):
		return manage.InvalidField(FieldKeyID, "must be the key id of the current key: 16 hexadecimal characters")
	case r.Overlap != nil && (*r.Overlap < 0 || *r.Overlap > MaxOverlap):
		return manage.InvalidField(FieldOverlap, "must be from 0 to 86400")
	}
	return nil
}

// rotate issues a successor. Its TTL starts again, and ExpiresAt stays.
func (op *operation) rotate(ctx context.Context, id string, read manage.Read[*Rotation]) (*Issued, error) {
	if err := op.authorizeRotation(id); err != nil {
		return nil, err
	}
	r, err := op.readRotation(read)
	if err != nil {
		return nil, err
	}
	k, overlap, err := op.rotatable(ctx, id, r)
	if err != nil {
		return nil, err
	}
	if k.Spec.Delivery != v1alpha1.DeliveryResponse {
		return op.requestRotation(ctx, k)
	}
	secret, err := op.Store.Generate()
	if err != nil {
		return nil, err
	}
	secret.Succeeds = r.KeyID
	if secret.Owner = op.owner; op.renews {
		// A key that renews itself stays the key of its user.
		secret.Owner = k.OwnerID()
	}
	issued, err := op.succeed(ctx, k, secret, overlap, "Rotated")
	switch {
	case errors.Is(err, objects.ErrSucceeded):
		return nil, errRotated(k)
	case err != nil:
		return nil, err
	}
	if r.Overlap != nil {
		op.detail += " overlap " + string(convert.DurationOf(overlap))
	}
	return issued, nil
}

// rotatable returns a key that the caller may rotate so, and how long its present key stays accepted.
func (op *operation) rotatable(ctx context.Context, id string, r *Rotation) (*v1alpha1.APIKey, time.Duration, error) {
	k, err := op.find(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if err := op.checkRotation(k); err != nil {
		return nil, 0, err
	}
	overlap, err := overlapOf(k, r)
	if err != nil {
		return nil, 0, err
	}
	if current := currentOf(k); r.KeyID != "" && (current == nil || current.ID != r.KeyID) {
		return nil, 0, errRotated(k)
	}
	return k, overlap, nil
}

// succeed records a new key in place of the current one. what begins the sentence of the event.
func (op *operation) succeed(
	ctx context.Context, k *v1alpha1.APIKey, secret *objects.Key, overlap time.Duration, what string,
) (*Issued, error) {
	previous := currentOf(k)
	err := op.Store.Record(ctx, k, secret, overlap)
	switch {
	case err != nil:
		return nil, err
	case k.IsRevoked():
		// It was revoked meanwhile: the new key is refused, too.
		return nil, errRevoked(k)
	}
	op.event(k, v1alpha1.EventKeyRotated, what)
	return op.rotated(ctx, k, secret.Plaintext, previous)
}

// readRotation reads how to rotate. A caller that rotates the key that it presents rotates no other.
func (op *operation) readRotation(read manage.Read[*Rotation]) (*Rotation, error) {
	r, err := read.By(op.Gate, op.caller, errUnauthorized)
	if err != nil {
		return nil, err
	}
	if op.own {
		r.KeyID = op.caller.KeyID
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

func (op *operation) rotated(
	ctx context.Context, k *v1alpha1.APIKey, token string, previous *lifecycle.Key,
) (*Issued, error) {
	issued, err := op.issued(ctx, k, token)
	if err != nil {
		return nil, err
	}
	issued.PreviousEnds = op.endOfPrevious(k, previous)
	return issued, nil
}

// endOfPrevious returns when a key of k, which has a successor now, ends. It has ended if it is not recorded any more.
// previous may be nil.
func (op *operation) endOfPrevious(k *v1alpha1.APIKey, previous *lifecycle.Key) (none time.Time) {
	if previous == nil {
		return none
	}
	for _, one := range convert.Keys(k.Status.Keys) {
		if one.ID == previous.ID && one.State == lifecycle.StateOverlapping {
			return one.ExpiresAt
		}
	}
	return op.Now()
}

// overlapOf returns how long the present key of k is accepted beside its successor.
func overlapOf(k *v1alpha1.APIKey, r *Rotation) (time.Duration, error) {
	spec := convert.Spec(k)
	switch {
	case r.Overlap == nil:
		return spec.Overlap, nil
	case !spec.ByAPI:
		return 0, manage.Errorf(manage.Conflict,
			"API key %s is delivered in Secret %s/%s: its spec decides on the overlap", nameOf(k), k.Namespace,
			k.EffectiveSecretName())
	case !spec.OverlapPerRotation && *r.Overlap > spec.Overlap:
		return 0, manage.Errorf(manage.Conflict, "API key %s allows an overlap of at most %s (spec.rotation.overlap)",
			nameOf(k), convert.DurationOf(spec.Overlap))
	}
	return r.Overlap.Truncate(time.Second), nil
}

// errRotated is the error for a rotation of a key that is not the current one any more.
func errRotated(k *v1alpha1.APIKey) error {
	current := currentOf(k)
	if current == nil {
		return manage.Errorf(manage.Conflict, "API key %s has no current key any more", nameOf(k))
	}
	return manage.Errorf(manage.Conflict, "API key %s was rotated at %s", nameOf(k),
		current.IssuedAt.UTC().Format(time.RFC3339))
}

// authorizeRotation refuses a caller who may neither change the keys of the subject nor renew itself.
func (op *operation) authorizeRotation(id string) error {
	if op.renews = op.mayRenew(op.caller, op.subject, id); op.renews {
		return nil
	}
	err := op.authorize()
	switch {
	case !op.own || !manage.Is(err, manage.Forbidden):
		return err
	case op.caller.Digest() == nil:
		return errSucceeded
	}
	return errMayNotRenew
}

// checkRotation refuses a caller that the successor exceeds: the caller gets it.
func (op *operation) checkRotation(k *v1alpha1.APIKey) error {
	if op.renews && !isLatest(k, op.caller.KeyID) {
		return errSucceeded
	}
	if err := op.checkMayOwnKeys(k.Spec.Subject); err != nil {
		return err
	}
	if err := op.checkIssue(k, op.Now()); err != nil {
		return err
	}
	end := convert.Instant(k.Spec.ExpiresAt)
	switch {
	case op.own && k.Spec.Delivery != v1alpha1.DeliveryResponse:
		return errInSecret(k)
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
