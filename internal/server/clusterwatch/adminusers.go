package clusterwatch

import (
	"log/slog"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
)

const kindAdminUser = "AdminUser"

// newAdminUsers puts AdminUsers into the index. They count in namespace only.
func newAdminUsers(index *verify.Index, namespace string, log *slog.Logger) *holders {
	return &holders{index: index, kind: kindAdminUser, translate: func(object any) *record {
		user := object.(*v1alpha1.AdminUser)
		r := &record{id: verify.ID{Kind: kindAdminUser, Namespace: user.Namespace, Name: user.Name}}
		if user.Namespace == namespace {
			r.id.Namespace = namespace // one string for all of them
			r.holder = keyObject(user, log.With("adminUser", user.Name))
		}
		return r
	}}
}
