package adminuser

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/issuer"
	"keywright.dev/keywright/internal/lifecycle"
)

// maxRequest is the longest rotation request that status keeps as it is.
const maxRequest = 253

// describe tells the issuer what an AdminUser asks for. rival is who holds its username instead, or nil.
func describe(user, rival *v1alpha1.AdminUser) *issuer.Holder {
	h := &issuer.Holder{
		Object: user,
		Kind:   kind,
		Status: &user.Status.KeyHolderStatus,
		Spec: lifecycle.Spec{
			Revoked:       !user.IsAdmin(),
			Deleted:       !user.DeletionTimestamp.IsZero(),
			ByAPI:         user.Spec.Delivery == v1alpha1.DeliveryResponse,
			RotateRequest: request(user.Annotations[v1alpha1.AnnotationRotate]),
			SecretName:    user.EffectiveSecretName(),
		},
		Secret:  issuer.Template{Data: map[string]string{v1alpha1.SecretUsername: user.EffectiveUsername()}},
		Refused: refused(user, rival),
	}
	if rival != nil && h.Refused.Reason == v1alpha1.ReasonUsernameTaken {
		h.Block = h.Refused
	}
	describeSecret(h, user.Spec.Secret)
	describeRotation(h, user.Spec.Rotation)
	return h
}

func describeSecret(h *issuer.Holder, secret *v1alpha1.AdminUserSecret) {
	if secret == nil {
		return
	}
	h.Spec.Reissue = secret.WhenDeleted == v1alpha1.WhenDeletedReissue
	h.Secret.Labels = plain(secret.Labels)
	h.Secret.Annotations = plain(secret.Annotations)
}

func plain[V ~string](typed map[string]V) map[string]string {
	out := make(map[string]string, len(typed))
	for name, value := range typed {
		out[name] = string(value)
	}
	return out
}

// describeRotation reads the two durations, which the CRD's rules have checked. One that got past them counts as
// not set, for a schedule nobody can read must not rotate anything.
func describeRotation(h *issuer.Holder, rotation *v1alpha1.Rotation) {
	if rotation == nil {
		return
	}
	h.Spec.Every = duration(rotation.Every)
	h.Spec.Overlap = duration(rotation.Overlap)
}

func duration(d *v1alpha1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	parsed, err := time.ParseDuration(string(*d))
	if err != nil || parsed < 0 {
		return 0
	}
	return parsed
}

// refused says why the user's keys are not accepted. A name that somebody else holds outweighs all else: it is
// what has to be settled first.
func refused(user, rival *v1alpha1.AdminUser) *issuer.Finding {
	switch {
	case !user.DeletionTimestamp.IsZero():
		return &issuer.Finding{Reason: v1alpha1.ReasonDeleted, Message: "The AdminUser is being deleted: no key is accepted any more."}
	case !user.IsAdmin():
		return &issuer.Finding{Reason: v1alpha1.ReasonDemoted, Message: "The role is user: there is no admin key."}
	case rival != nil:
		return &issuer.Finding{Reason: v1alpha1.ReasonUsernameTaken, Message: fmt.Sprintf(
			"Username %q is held by AdminUser %s: delete one of the two, or create this one anew with another username.", rival.EffectiveUsername(), rival.Name)}
	case !user.IsEnabled():
		return &issuer.Finding{Reason: v1alpha1.ReasonDisabled, Message: "spec.enabled is false: every key of the user is refused until it is true again."}
	}
	return nil
}

// request is the annotation's value in a form that fits into status.
func request(value string) string {
	if len(value) <= maxRequest {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:])
}
