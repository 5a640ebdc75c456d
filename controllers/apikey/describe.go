package apikey

import (
	"fmt"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/issuer"
)

// surroundings is what a key depends on beside its own manifest.
type surroundings struct {
	// unknown are the roles it names that do not exist.
	unknown []string
	// maxTTL is the shortest of its roles. 0: none has one.
	maxTTL time.Duration
	// ownerDenied: the user it speaks as may not own keys. ownerDisabled: their AdminUser is disabled.
	ownerDenied, ownerDisabled bool
}

// describe tells the issuer what an APIKey asks for.
func describe(key *v1alpha1.APIKey, around *surroundings) *issuer.Target {
	t := &issuer.Target{
		Object:  key,
		Spec:    convert.Spec(key),
		Secret:  issuer.Template{Data: map[string]string{v1alpha1.SecretSubject: key.Spec.Subject.String()}},
		Refused: refused(key, around),
		Blocked: blocked(key, around),
	}
	t.Spec.MaxTTL = around.maxTTL
	if secret := key.Spec.Secret; secret != nil {
		t.Secret.Take(&secret.SecretTemplate)
	}
	return t
}

// refused says why the key is not accepted, in the server's order.
func refused(key *v1alpha1.APIKey, around *surroundings) *issuer.Finding {
	switch {
	case !key.DeletionTimestamp.IsZero():
		return &issuer.Finding{Reason: v1alpha1.ReasonDeleted, Message: "The APIKey is being deleted: no key is accepted any more."}
	case key.Spec.Revoked:
		return &issuer.Finding{Reason: v1alpha1.ReasonRevoked, Message: "spec.revoked is true: the key is refused for good."}
	case !key.IsEnabled():
		return &issuer.Finding{Reason: v1alpha1.ReasonDisabled, Message: "spec.enabled is false: the key is refused until it is true again."}
	case around.ownerDisabled:
		return &issuer.Finding{Reason: v1alpha1.ReasonOwnerDisabled, Message: fmt.Sprintf(
			"AdminUser %q is disabled: every key that speaks for this user is refused until it is enabled again.", key.Owner())}
	case around.ownerDenied:
		return denied(key)
	}
	return nil
}

// blocked says why no key may be issued.
func blocked(key *v1alpha1.APIKey, around *surroundings) *issuer.Finding {
	switch {
	case around.ownerDenied:
		return denied(key)
	case len(around.unknown) > 0:
		return &issuer.Finding{Reason: v1alpha1.ReasonUnknownRole, Message: fmt.Sprintf(
			"No AccessRole is named %s: create it, or take it out of spec.roles.", strings.Join(around.unknown, ", nor "))}
	}
	return nil
}

func denied(key *v1alpha1.APIKey) *issuer.Finding {
	return &issuer.Finding{Reason: v1alpha1.ReasonOwnerDenied, Message: fmt.Sprintf(
		"User %q may not own keys: every AccessRole that lists this user has apiKeys: Denied.", key.Owner())}
}
