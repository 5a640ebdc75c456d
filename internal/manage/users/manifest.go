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
