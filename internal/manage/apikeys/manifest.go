package apikeys

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/manifest"
)

// Manifests are only shown: nothing of this file writes, or leaves an audit entry.

// Manifest returns the manifest of a key that Create would create, for a caller who may create it. The operator writes
// its key into a Secret.
func (s *Service) Manifest(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*Wanted],
) (string, error) {
	op := s.begin(caller, "", subject, "")
	k, err := op.wanted(ctx, read)
	if err != nil {
		return "", op.explained(ctx, err)
	}
	k.Name, k.Spec.Delivery = objects.SlugOf(k.Spec.DisplayName), v1alpha1.DeliverySecret
	return op.shownText(ctx)(manifest.New(k))
}

// ManifestOf returns the manifest of a key as it is.
func (s *Service) ManifestOf(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
) (string, error) {
	if err := s.authorize(caller, subject, ActionRead); err != nil {
		return "", err
	}
	k, err := s.find(ctx, caller, subject, id)
	if err != nil {
		return "", s.toError(ctx, err)
	}
	return s.shownText(ctx)(manifest.Of(k))
}

// Patch returns the kubectl command for a change, even of a key from a manifest, or "" if it changes nothing.
func (s *Service) Patch(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string, read manage.Read[*Change],
) (string, error) {
	return s.patch(ctx, caller, subject, id, func(op *operation) (func(*v1alpha1.APIKeySpec), error) {
		c, err := read.By(s.Gate, caller, errUnauthorized)
		if err != nil {
			return nil, err
		}
		return c.applyTo, op.checkChange(ctx, c)
	})
}

// PatchRevoked returns the kubectl command that revokes a key, even one from a manifest.
func (s *Service) PatchRevoked(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
) (string, error) {
	return s.patch(ctx, caller, subject, id, func(*operation) (func(*v1alpha1.APIKeySpec), error) {
		return func(spec *v1alpha1.APIKeySpec) { spec.State = v1alpha1.StateRevoked }, nil
	})
}

func (s *Service) patch(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
	read func(*operation) (func(*v1alpha1.APIKeySpec), error),
) (string, error) {
	op := s.begin(caller, "", subject, id)
	if err := op.authorize(); err != nil {
		return "", err
	}
	change, err := read(op)
	if err != nil {
		return "", op.explained(ctx, err)
	}
	k, err := op.find(ctx, id)
	if err != nil {
		return "", op.explained(ctx, err)
	}
	changed := k.DeepCopy()
	change(&changed.Spec)
	return s.shownText(ctx)(manifest.Patch(k, changed))
}

func (s *Service) shownText(ctx context.Context) func(string, error) (string, error) {
	return func(text string, err error) (string, error) {
		if err != nil {
			return "", s.toError(ctx, err)
		}
		return text, nil
	}
}

// applyTo changes a spec, whatever the rights of the caller.
func (c *Change) applyTo(spec *v1alpha1.APIKeySpec) {
	c.describe(spec)
	c.enable(spec)
	c.give(spec)
	c.setEnd(spec)
}
