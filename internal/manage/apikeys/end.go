package apikeys

import (
	"context"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
)

// rotate gives a key with a TTL a whole new one, and one that ends at an instant the same instant.
func (d *deed) rotate(ctx context.Context, id string, check func() error) (*Issued, error) {
	k, err := d.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := check(); err != nil {
		return nil, err
	}
	if err := d.mayRotate(k); err != nil {
		return nil, err
	}
	if k.Spec.Delivery != v1alpha1.DeliveryResponse {
		return d.askRotation(ctx, k)
	}
	secret, err := d.Registry.Generate()
	if err != nil {
		return nil, err
	}
	if err := d.Registry.Record(ctx, k, secret, convert.Spec(k).Overlap); err != nil {
		return nil, err
	}
	d.tell(k, v1alpha1.EventKeyRotated, "Rotated")
	return d.issued(ctx, k, secret.Plaintext)
}

// mayRotate: whoever rotates a key gets one that may what it may.
func (d *deed) mayRotate(k *v1alpha1.APIKey) error {
	given := convert.Given(k)
	if err := d.mayGive(d.by, &given, k.Spec.Subject); err != nil {
		return err
	}
	if err := d.mayOwnKeys(k.Spec.Subject); err != nil {
		return err
	}
	end := convert.Instant(k.Spec.ExpiresAt)
	switch {
	case k.Spec.Revoked:
		return revoked(k)
	case lifecycle.Ended(end, d.Now()):
		return &Error{Kind: Conflict, Text: "API key " + nameOf(k) + " has ended at " + end.UTC().Format(time.RFC3339) +
			", and so would the next one: set another end first"}
	}
	return nil
}

// askRotation leaves it to the operator, which alone writes Secrets.
func (d *deed) askRotation(ctx context.Context, k *v1alpha1.APIKey) (*Issued, error) {
	if err := d.Registry.AskRotation(ctx, k); err != nil {
		return nil, err
	}
	d.tell(k, v1alpha1.EventRotationRequested, "Rotation asked for")
	return d.issued(ctx, k, "")
}

// issued tells the token whatever else can't be found out: nobody has it but who reads this.
func (d *deed) issued(ctx context.Context, k *v1alpha1.APIKey, token string) (*Issued, error) {
	view, err := d.shown(ctx, k)
	if err != nil {
		return &Issued{Key: d.viewOf(k), Token: token}, nil //nolint:nilerr // the last use is missing, and that was logged
	}
	return &Issued{Key: *view, Token: token}, nil
}

func (d *deed) revoke(ctx context.Context, id string) (*v1alpha1.APIKey, error) {
	k, err := d.findOwn(ctx, id)
	if err != nil || k.Spec.Revoked {
		return k, err
	}
	revoke := func(k *v1alpha1.APIKey) error {
		k.Spec.Revoked = true
		return nil
	}
	if err := d.write(ctx, k, revoke); err != nil {
		return nil, err
	}
	d.tell(k, v1alpha1.EventKeyRevoked, "Revoked")
	return k, nil
}

func (d *deed) remove(ctx context.Context, id string) error {
	k, err := d.findOwn(ctx, id)
	if err != nil {
		return err
	}
	if err := d.Registry.Delete(ctx, k); err != nil {
		return err
	}
	d.tell(k, v1alpha1.EventDeleted, "Deleted")
	return nil
}
