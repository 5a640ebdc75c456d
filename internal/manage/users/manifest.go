package users

import (
	"context"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/manifest"
)

// Manifest returns the manifest of an admin that Create would create. The operator delivers the key in a Secret. It
// writes nothing, and leaves no audit entry.
func (s *Service) Manifest(_ context.Context, caller manage.Caller, read manage.Read[string]) (string, error) {
	if err := s.allowAdmin(caller); err != nil {
		return "", err
	}
	name, err := read.By(s.Gate, caller, errForbidden)
	if err != nil {
		return "", err
	}
	name = strings.TrimSpace(name)
	if err := s.checkName(name); err != nil {
		return "", err
	}
	user := &v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: name}}
	user.Name = objects.ObjectName(name)
	text, err := manifest.New(user)
	return text, failure(err)
}

// ManifestOf returns the manifest of a user's AdminUser as it is.
func (s *Service) ManifestOf(ctx context.Context, caller manage.Caller, name string) (string, error) {
	if err := s.allow(caller, actionRead); err != nil {
		return "", err
	}
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return "", err
	case user == nil:
		return "", errNotFound(name)
	}
	text, err := manifest.Of(user)
	return text, failure(err)
}

// Patch returns the kubectl command that gives a user a role or a state, even one from a manifest. Empty ones stay. The
// command is empty if it would change nothing.
func (s *Service) Patch(
	ctx context.Context, caller manage.Caller, name string, role v1alpha1.Role, state v1alpha1.State,
) (string, error) {
	if err := s.allow(caller, actionWrite); err != nil {
		return "", err
	}
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return "", err
	case user == nil:
		return "", errNotFound(name)
	}
	changed := user.DeepCopy()
	if role != "" {
		changed.Spec.Role = role
	}
	if state != "" {
		changed.Spec.State = state
	}
	command, err := manifest.Patch(user, changed)
	return command, failure(err)
}
