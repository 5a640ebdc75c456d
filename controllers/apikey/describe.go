package apikey

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/issuer"
)

// describe translates an APIKey for the issuer.
func describe(key *v1alpha1.APIKey, resolved *dependencies) *issuer.Target {
	t := &issuer.Target{
		Object:  key,
		Spec:    convert.Spec(key),
		Secret:  issuer.Template{Identity: map[string]string{v1alpha1.SecretSubject: key.Spec.Subject.String()}},
		Refused: refused(key, resolved),
		Idle:    lacking(resolved),
		Blocked: blocked(key, resolved),
	}
	t.Spec.MaxTTL, t.Spec.MaxTTLFrom, t.Spec.Limits = resolved.maxTTL, resolved.limitedBy, resolved.limits
	t.OwnerID, t.OwnerGone = resolved.owner.Present, ownerIsGone(key, resolved)
	t.Spec.Rebind = t.OwnerGone && !t.Spec.ByAPI && reportsOwnerGone(key)
	if secret := key.Spec.Secret; secret != nil {
		t.Secret.CopyFrom(&secret.SecretTemplate)
		t.Secret.Type, t.Secret.StringData = secret.Type, convert.PlainValues(secret.StringData)
	}
	return t
}

// refused returns why the key is refused, or nil. verify.Refusal decides for the server, too.
func refused(key *v1alpha1.APIKey, resolved *dependencies) *issuer.Finding {
	owner := resolved.owner.Standing(key.OwnerID())
	switch verify.Refusal(convert.Standing(key), false, owner) {
	case verify.Deleted:
		return &issuer.Finding{Reason: v1alpha1.ReasonDeleted,
			Message: "The APIKey is being deleted: no key is accepted any more."}
	case verify.Revoked:
		return &issuer.Finding{Reason: v1alpha1.ReasonRevoked,
			Message: "spec.state is Revoked, or was: the key is refused for good."}
	case verify.Disabled:
		return &issuer.Finding{Reason: v1alpha1.ReasonDisabled,
			Message: "spec.state is Disabled: the key is refused until it is Active again."}
	case verify.OwnerGone:
		return gone(key)
	case verify.OwnerDisabled:
		return &issuer.Finding{Reason: v1alpha1.ReasonOwnerDisabled, Message: fmt.Sprintf("AdminUser %q is disabled: "+
			"every key of this user is refused until spec.state of the AdminUser is Active again.", key.Owner())}
	case verify.OwnerDenied:
		return denied(key)
	case verify.Unknown:
		return &issuer.Finding{Reason: v1alpha1.ReasonNoKey,
			Message: "spec.subject names no subject: the key is refused."}
	}
	return nil
}

// blocked returns why no key may be issued, or nil.
func blocked(key *v1alpha1.APIKey, resolved *dependencies) *issuer.Finding {
	switch {
	case ownerIsGone(key, resolved):
		return gone(key)
	case resolved.owner.Denied:
		return denied(key)
	}
	return lacking(resolved)
}

// lacking returns why the key may do nothing and no other is issued while a role is missing, or nil. The server decides
// by the same access.Roles.Missing.
func lacking(resolved *dependencies) *issuer.Finding {
	if len(resolved.unknownRoles) == 0 {
		return nil
	}
	return &issuer.Finding{Reason: v1alpha1.ReasonUnknownRole, Message: fmt.Sprintf(
		"spec.roles names AccessRoles that do not exist: %s. Until they do, the key may do nothing. "+
			"Create them, or remove them from spec.roles.",
		strings.Join(resolved.unknownRoles, ", "))}
}

func ownerIsGone(key *v1alpha1.APIKey, resolved *dependencies) bool {
	return resolved.owner.Standing(key.OwnerID()) == verify.OwnerGone
}

// reportsOwnerGone reports whether the status says that the owner is gone. Only a rotation that is requested from then
// on makes the key one of the present user: admission asks its author for verb use on the user.
func reportsOwnerGone(key *v1alpha1.APIKey) bool {
	ready := meta.FindStatusCondition(key.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.Reason == v1alpha1.ReasonOwnerGone
}

func gone(key *v1alpha1.APIKey) *issuer.Finding {
	wayOut := "set annotation " + v1alpha1.AnnotationRotate + ", which needs verb use on the user"
	if key.Spec.Delivery == v1alpha1.DeliveryResponse {
		wayOut = "rotate it through the API"
	}
	return &issuer.Finding{Reason: v1alpha1.ReasonOwnerGone, Message: fmt.Sprintf(
		"The AdminUser of %q that this key belongs to was deleted, so the key is refused, even if the name is in use again. "+
			"For a new key of the present user, %s.", key.Owner(), wayOut)}
}

func denied(key *v1alpha1.APIKey) *issuer.Finding {
	return &issuer.Finding{Reason: v1alpha1.ReasonOwnerDenied, Message: fmt.Sprintf(
		"User %q may not own keys: every AccessRoleBinding that lists this user has apiKeys: Denied.", key.Owner())}
}
