package convert

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Standing returns why a key object refuses every key of its own, or verify.Accepted. It depends on the spec alone, so
// that a revocation needs no operator.
func Standing(o keyholder.Object) verify.Reason {
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		return verify.Facts{
			Deleted: !o.DeletionTimestamp.IsZero(), Kept: IsKept(o), Demoted: !o.IsAdmin(), Disabled: o.IsDisabled(),
		}.Standing()
	case *v1alpha1.APIKey:
		return verify.Facts{
			Deleted: !o.DeletionTimestamp.IsZero(), Revoked: o.IsRevoked(), Disabled: o.IsDisabled(),
			NoSubject: o.Spec.Subject.Kind == "" || o.Spec.Subject.Name == "",
		}.Standing()
	}
	return verify.Unknown
}

// OwnerFacts returns what the APIKeys of a user depend on: the AdminUser whose claim to the name is honoured, or nil,
// and whether bindings deny keys to the user. An AdminUser that is being deleted is present for as long as it may be
// kept as the last admin.
func OwnerFacts(user *v1alpha1.AdminUser, denied bool) verify.OwnerFacts {
	facts := verify.OwnerFacts{Denied: denied}
	if user == nil {
		return facts
	}
	facts.Disabled = user.IsDisabled()
	if Standing(user) != verify.Deleted || StaysIfLast(user) {
		facts.Present = user.UserID()
	}
	return facts
}

// RevokedKeys returns the digests of the keys that the object refuses for good: those that it records while it is
// revoked or its user demoted, and those that it recorded then.
func RevokedKeys(o keyholder.Object) []pepper.Digest {
	status := o.HolderStatus()
	recorded := slices.Clone(status.RevokedDigests)
	if refusesForGood(o) {
		for i := range status.Keys {
			recorded = append(recorded, status.Keys[i].Digest)
		}
	}
	var digests []pepper.Digest
	for _, text := range recorded {
		// Keywright did not write unreadable ones.
		if digest, err := pepper.ParseDigest(text); err == nil {
			digests = append(digests, digest)
		}
	}
	return digests
}

func refusesForGood(o keyholder.Object) bool {
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		return !o.IsAdmin()
	case *v1alpha1.APIKey:
		return o.IsRevoked()
	}
	return false
}

// ActiveAdmin reports whether an AdminUser whose username claim is honoured counts as an active admin.
// currentKeyAccepted is what the caller knows of the current key: the operator goes by its condition Active, the server
// by the record.
func ActiveAdmin(user *v1alpha1.AdminUser, currentKeyAccepted bool) bool {
	return user.DeletionTimestamp.IsZero() && verify.ActiveAdmin(user.IsAdmin(), Standing(user), currentKeyAccepted)
}

// StaysIfLast reports whether an AdminUser that is being deleted stays while there is no active admin: it would be an
// active admin otherwise, the finalizer holds it, and no person has allowed its removal.
func StaysIfLast(user *v1alpha1.AdminUser) bool {
	return !user.DeletionTimestamp.IsZero() && user.IsAdmin() && !user.IsDisabled() &&
		IsAnchor(user) && !RemovalAllowed(user)
}

// IsKept reports whether the operator keeps the AdminUser as the last admin. It knows more than the server, such as
// whose key depends on a lost pepper, and lets the object go once another admin is active.
func IsKept(user *v1alpha1.AdminUser) bool {
	mark := meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionLastAdmin)
	return StaysIfLast(user) && mark != nil && mark.Reason == v1alpha1.ReasonKeptLastAdmin
}

// IsAnchor reports whether the AdminUser carries the finalizer of the last admin.
func IsAnchor(user *v1alpha1.AdminUser) bool {
	return slices.Contains(user.Finalizers, v1alpha1.FinalizerLastAdmin)
}

// RemovalAllowed reports whether a person has allowed that the AdminUser is removed even as the last admin.
func RemovalAllowed(user *v1alpha1.AdminUser) bool {
	return user.Annotations[v1alpha1.AnnotationAllowLastAdminRemoval] == "true"
}
