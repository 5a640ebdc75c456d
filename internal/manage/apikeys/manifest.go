package apikeys

import (
	"context"
	"fmt"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/manifest"
)

// Manifest returns the manifest of a key that Create would create, for a caller who may create it. The operator writes
// its key into a Secret. It writes nothing, and leaves no audit entry.
func (s *Service) Manifest(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*Wanted],
) (string, error) {
	op := s.begin(caller, "", subject, "")
	k, err := op.wanted(ctx, read)
	if err != nil {
		return "", op.explained(ctx, err)
	}
	k.Name, k.Spec.Delivery = objects.SlugOf(k.Spec.DisplayName), v1alpha1.DeliverySecret
	text, err := manifest.New(k)
	if err != nil {
		return "", op.toError(ctx, err)
	}
	return s.limitComment(k) + text, nil
}

// limitComment returns the line of a manifest that names a lifetime which the manifest does not have, or "".
func (s *Service) limitComment(k *v1alpha1.APIKey) string {
	bounds := s.boundsOf(k)
	ttl, from := bounds.Lifetime()
	if !from.FromInstance() {
		return ""
	}
	return fmt.Sprintf("# %s of this instance ends each key %s after its issue.\n", bounds.Named(from),
		convert.DurationOf(ttl))
}
