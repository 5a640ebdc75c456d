package apikey

import (
	"fmt"
	"strings"

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
	t.Spec.MaxTTL, t.LimitedBy = resolved.maxTTL, resolved.limitedBy
	if secret := key.Spec.Secret; secret != nil {
		t.Secret.CopyFrom(&secret.SecretTemplate)
		t.Secret.Type, t.Secret.StringData = secret.Type, convert.PlainValues(secret.StringData)
	}
	return t
}

// refused returns why the key is refused, or nil. verify.Refusal decides for the server, too.
func refused(key *v1alpha1.APIKey, resolved *dependencies) *issuer.Finding {
	owner := verify.OwnerStanding(resolved.ownerDisabled, resolved.ownerDenied)
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
	if resolved.ownerDenied {
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

func denied(key *v1alpha1.APIKey) *issuer.Finding {
	return &issuer.Finding{Reason: v1alpha1.ReasonOwnerDenied, Message: fmt.Sprintf(
		"User %q may not own keys: every AccessRoleBinding that lists this user has apiKeys: Denied.", key.Owner())}
}
