package issuer

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"keywright.dev/keywright/api/v1alpha1"
)

// patience is how long the API may take from making an object, or from making a user an admin again, to issuing the key.
const patience = 10 * time.Second

// awaitUntil is until when the API is taken to be about to issue the key: from when this was found first. Zero: nobody is
// about to, as the object is not the API's, or it has been waited for in vain.
func (r *run) awaitUntil() time.Time {
	h := r.holder
	if !h.Spec.ByAPI || h.Object.GetAnnotations()[v1alpha1.AnnotationCreatedBy] != v1alpha1.CreatedByAPI {
		return time.Time{}
	}
	conditions, now := h.status().Conditions, r.Clock.Now()
	if said := meta.FindStatusCondition(conditions, v1alpha1.ConditionStalled); said != nil && said.Reason == v1alpha1.ReasonAwaitingKey {
		return time.Time{}
	}
	if said := meta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling); said != nil && said.Reason == v1alpha1.ReasonIssuing {
		return said.LastTransitionTime.Add(patience)
	}
	return now.Add(patience)
}
