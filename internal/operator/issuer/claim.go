package issuer

import (
	"time"

	"keywright.dev/keywright/api/v1alpha1"
)

// claimUntil returns until when an object waits for its first key to be claimed, or zero if it waits for none.
func (t *Target) claimUntil() time.Time {
	if !t.Spec.ByAPI || t.Object.GetLabels()[v1alpha1.LabelCreatedBy] != v1alpha1.CreatedByAPI {
		return time.Time{}
	}
	until, err := time.Parse(time.RFC3339, t.Object.GetAnnotations()[v1alpha1.AnnotationClaimUntil])
	if err != nil {
		return time.Time{}
	}
	return until
}

// awaiting describes an object that the API created and is to issue the key of.
func awaiting(t *Target) Finding {
	if until := t.claimUntil(); !until.IsZero() {
		return Finding{v1alpha1.ReasonAwaitingClaim,
			"The first use of the claim link issues the key, until " + until.UTC().Format(time.RFC3339) + "."}
	}
	return Finding{v1alpha1.ReasonIssuing, "The API is about to issue the key."}
}

// neverClaimed describes an object that the API created and has not issued the key of in time.
func neverClaimed(t *Target) Finding {
	if !t.claimUntil().IsZero() {
		return Finding{v1alpha1.ReasonAwaitingKey,
			"The claim link has ended, and no key was issued: delete the object, or rotate the key through the API."}
	}
	return Finding{v1alpha1.ReasonAwaitingKey,
		"Delivery is Response and the API has issued no key: rotate the key through the API."}
}
