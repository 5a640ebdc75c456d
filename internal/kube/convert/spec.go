package convert

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Spec reads what a key object asks for. MaxTTL, which depends on AccessRoles, is the caller's to set.
func Spec(o keyholder.Object) lifecycle.Spec {
	switch o := o.(type) {
	case *v1alpha1.AdminUser:
		return adminUserSpec(o)
	case *v1alpha1.APIKey:
		return apiKeySpec(o)
	}
	return lifecycle.Spec{}
}

func adminUserSpec(user *v1alpha1.AdminUser) lifecycle.Spec {
	spec := lifecycle.Spec{
		Revoked:       !user.IsAdmin(),
		Deleted:       !user.DeletionTimestamp.IsZero(),
		ByAPI:         user.Spec.Delivery == v1alpha1.DeliveryResponse,
		RotateRequest: rotateRequest(user),
		SecretName:    user.EffectiveSecretName(),
	}
	if secret := user.Spec.Secret; secret != nil {
		spec.Reissue = secret.ReissuePolicy == v1alpha1.ReissueIfLost
		spec.Orphan = secret.DeletionPolicy == v1alpha1.DeletionOrphan
	}
	if rotation := user.Spec.Rotation; rotation != nil {
		spec.Every, spec.Overlap = Duration(rotation.Every), Duration(rotation.Overlap)
		spec.RotateAfter = Instant(rotation.After)
	}
	return spec
}

func apiKeySpec(key *v1alpha1.APIKey) lifecycle.Spec {
	spec := lifecycle.Spec{
		ExpiresAt:     Instant(key.Spec.ExpiresAt),
		TTL:           Duration(key.Spec.TTL),
		Revoked:       key.IsRevoked(),
		Deleted:       !key.DeletionTimestamp.IsZero(),
		ByAPI:         key.Spec.Delivery == v1alpha1.DeliveryResponse,
		Reissue:       key.Spec.Secret == nil || key.Spec.Secret.ReissuePolicy != v1alpha1.ReissueNever,
		Orphan:        key.Spec.Secret != nil && key.Spec.Secret.DeletionPolicy == v1alpha1.DeletionOrphan,
		RotateRequest: rotateRequest(key),
		SecretName:    key.EffectiveSecretName(),
	}
	spec.Every, spec.Overlap = apiKeySchedule(key.Spec.Rotation, spec.ByAPI)
	spec.OverlapPerRotation = spec.ByAPI && (key.Spec.Rotation == nil || key.Spec.Rotation.Overlap == nil)
	if key.Spec.Rotation != nil {
		spec.RotateAfter = Instant(key.Spec.Rotation.After)
	}
	return spec
}

func apiKeySchedule(rotation *v1alpha1.Rotation, byAPI bool) (every, overlap time.Duration) {
	if rotation == nil {
		return 0, lifecycle.DefaultOverlap(byAPI, 0)
	}
	every = Duration(rotation.Every)
	if rotation.Overlap != nil {
		return every, Duration(rotation.Overlap)
	}
	return every, lifecycle.DefaultOverlap(byAPI, every)
}

// maxRequest is the longest rotation request that status records unchanged.
const maxRequest = 253

// rotateRequest returns the value of the annotation that requests a rotation, hashed if it is too long for status.
func rotateRequest(o keyholder.Object) string {
	value := o.GetAnnotations()[v1alpha1.AnnotationRotate]
	if len(value) <= maxRequest {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:])
}
