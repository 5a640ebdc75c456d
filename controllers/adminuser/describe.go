package adminuser

import (
	"fmt"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/operator/issuer"
)

// describe translates an AdminUser for the issuer. rival is the AdminUser whose claim to the username is
// honoured instead, or nil.
func describe(user, rival *v1alpha1.AdminUser) *issuer.Target {
	t := &issuer.Target{
		Object:  user,
		Spec:    convert.Spec(user),
		Secret:  issuer.Template{Identity: map[string]string{v1alpha1.SecretUsername: user.EffectiveUsername()}},
		Refused: refused(user, rival),
	}
	if rival != nil && t.Refused.Reason == v1alpha1.ReasonUsernameTaken {
		t.Blocked = t.Refused
	}
	if secret := user.Spec.Secret; secret != nil {
		t.Secret.CopyFrom(&secret.SecretTemplate)
	}
	return t
}

// refused returns why the user's keys are refused, or nil. verify.Refusal decides for the server, too.
func refused(user, rival *v1alpha1.AdminUser) *issuer.Finding {
	switch verify.Refusal(convert.Standing(user), rival != nil, verify.Accepted) {
	case verify.Deleted:
		return &issuer.Finding{Reason: v1alpha1.ReasonDeleted,
			Message: "The AdminUser is being deleted: no key is accepted any more."}
	case verify.Demoted:
		return &issuer.Finding{Reason: v1alpha1.ReasonDemoted,
			Message: "The role is user: there is no admin key."}
	case verify.UsernameTaken:
		return &issuer.Finding{Reason: v1alpha1.ReasonUsernameTaken, Message: fmt.Sprintf(
			"Username %q belongs to AdminUser %s: delete one of the two, or create this one again with another username.",
			rival.EffectiveUsername(), rival.Name)}
	case verify.Disabled:
		return &issuer.Finding{Reason: v1alpha1.ReasonDisabled,
			Message: "spec.state is Disabled: every key of the user is refused until it is Active again."}
	}
	return nil
}
