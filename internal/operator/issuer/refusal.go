package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// isRefusal reports whether the API server has refused a write for a reason that only a person can remove: the object
// breaks a rule, or a policy forbids it. A quota, a missing right, a namespace that ends and everything about the API
// server itself pass by themselves, or with a change that is made without looking at the object.
func isRefusal(err error) bool {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		return false
	}
	switch status := refusal.Status(); status.Code {
	case http.StatusUnprocessableEntity, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return true
	case http.StatusForbidden:
		return isByPolicy(status.Details)
	}
	return false
}

// isByPolicy reports whether a refusal with status 403 is by a policy. The API server itself gives details without
// causes for a missing right and for a quota, a ValidatingAdmissionPolicy gives a cause, and a webhook no details.
func isByPolicy(details *metav1.StatusDetails) bool {
	if details == nil {
		return true
	}
	ends := func(c metav1.StatusCause) bool { return c.Type == corev1.NamespaceTerminatingCause }
	return len(details.Causes) > 0 && !slices.ContainsFunc(details.Causes, ends)
}

// written returns the step that a refusal concerns: what a trial is for.
func written(step lifecycle.Step) lifecycle.Step {
	if step == lifecycle.Try {
		return lifecycle.Deliver
	}
	return step
}

// refusalMessage says what is refused, and what to do about it.
func (r *run) refusalMessage() string {
	name := r.target.Spec.SecretName
	if r.immutable {
		return fmt.Sprintf("Secret %s is immutable, so that no other key can be written into it: delete it, or name "+
			"another in spec.secret.name.", name)
	}
	return fmt.Sprintf("The API server refuses a write and will do so again: %.*s. Change what it names in the spec, "+
		"Secret %s or the policy.", maxFailure, r.refusal, name)
}

// isImmutable reports whether a Secret was not written because it is immutable.
func isImmutable(err error) bool {
	return hasCause(err, func(c metav1.StatusCause) bool {
		return c.Type == metav1.CauseType(field.ErrorTypeForbidden) && c.Field == "data"
	})
}

// isTypeConflict reports whether the API server refused to change the type of a Secret.
func isTypeConflict(err error) bool {
	return hasCause(err, func(c metav1.StatusCause) bool { return c.Field == "type" })
}

func hasCause(err error, matches func(metav1.StatusCause) bool) bool {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) || refusal.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(refusal.Status().Details.Causes, matches)
}

func isStalledFor(s *v1alpha1.KeyHolderStatus, reason string) bool {
	stalled := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionStalled)
	return stalled != nil && stalled.Status == metav1.ConditionTrue && stalled.Reason == reason
}

// trial stands for a key where none may be recorded.
var trial = strings.Repeat("0", 49)

// tryDelivery asks the API server whether it would accept a key in the Secret. Otherwise every retry of a refused write
// would record one more key that is never delivered.
func (r *run) tryDelivery(ctx context.Context) error {
	secret := r.target.applyConfiguration(trial, "", r.secret)
	// The owner of a Secret from a backup is replaced before a key is written into it.
	secret.OwnerReferences = nil
	err := r.issuer.Client.Apply(ctx, secret, client.DryRunAll,
		client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
	// A webhook that supports no dry run answers 400. Only the write itself can show whether it accepts the Secret.
	if apierrors.IsBadRequest(err) || r.secret != nil && isTypeConflict(err) {
		err = nil
	}
	r.observed.Accepted = err == nil
	return err
}
