package clusterwatch

import (
	"log/slog"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
)

const kindAdminUser = "AdminUser"

// newAdminUsers puts AdminUsers into the index. They count in namespace only.
func newAdminUsers(index *verify.Index, namespace string, log *slog.Logger) *holders {
	return &holders{index: index, kind: kindAdminUser, translate: func(object any) *record {
		user := object.(*v1alpha1.AdminUser)
		r := &record{id: verify.ID{Kind: kindAdminUser, Namespace: user.Namespace, Name: user.Name}}
		if user.Namespace == namespace {
			r.id.Namespace = namespace // one string for all of them
			r.holder = adminUser(user, log)
		}
		return r
	}}
}

func adminUser(user *v1alpha1.AdminUser, log *slog.Logger) verify.KeyObject {
	return verify.KeyObject{
		Identity: identity(user),
		Standing: standing(user), Created: user.CreationTimestamp.Time, UID: string(user.UID),
		OwnsUsername: true, HoldsKeys: len(user.Status.Keys) > 0,
		Disabled: !user.IsEnabled(), StaysIfLast: staysIfLast(user),
		LastUsed: convert.Instant(user.Status.LastUsedTime),
		Keys:     keysOf(&user.Status.KeyHolderStatus, log.With("adminUser", user.Name)),
	}
}

func identity(user *v1alpha1.AdminUser) verify.Identity {
	subject := "User/" + user.EffectiveUsername()
	// The name is a part of the subject, and takes no memory of its own.
	return verify.Identity{Username: strings.TrimPrefix(subject, "User/"), Subject: subject, Admin: true}
}

// standing says why the keys of a user are refused, or that they are not. Revocation rests on the spec alone: it
// needs no operator.
func standing(user *v1alpha1.AdminUser) verify.Reason {
	switch {
	case isKept(user):
		return verify.Accepted
	case !user.DeletionTimestamp.IsZero():
		return verify.Deleted
	case !user.IsAdmin():
		return verify.Demoted
	case !user.IsEnabled():
		return verify.Disabled
	}
	return verify.Accepted
}

// isKept: the operator has found that nobody else can come in. It knows more than the index does, such as whose key was
// digested with a pepper that is lost, and lets the object go as soon as somebody can.
func isKept(user *v1alpha1.AdminUser) bool {
	mark := meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionLastAdmin)
	return staysIfLast(user) && mark != nil && mark.Reason == v1alpha1.ReasonKeptLastAdmin
}

// staysIfLast: the finalizer holds it back, and nobody has said that even the last admin may go.
func staysIfLast(user *v1alpha1.AdminUser) bool {
	return !user.DeletionTimestamp.IsZero() && user.IsAdmin() && user.IsEnabled() &&
		slices.Contains(user.Finalizers, v1alpha1.FinalizerLastAdmin) &&
		user.Annotations[v1alpha1.AnnotationAllowLastAdminRemoval] != "true"
}
