package conformity

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"

	"keywright.dev/keywright/api/v1alpha1"
)

// onlyWhileTrue are the conditions that say something by being there.
var onlyWhileTrue = []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionLastAdmin}

// constant is the form of a reason that programs can compare.
var constant = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// checkStatus: the status speaks of the present spec, in conditions that are complete.
func (r *report) checkStatus() error {
	var faults []error
	if generation := r.object.GetGeneration(); r.observed != generation {
		faults = append(faults, fmt.Errorf("status.observedGeneration is %d, the generation %d", r.observed, generation))
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionActive} {
		if meta.FindStatusCondition(r.conditions, kind) == nil {
			faults = append(faults, fmt.Errorf("there is no condition %s", kind))
		}
	}
	for i := range r.conditions {
		faults = append(faults, r.checkCondition(&r.conditions[i]))
	}
	return errors.Join(faults...)
}

func (r *report) checkCondition(c *metav1.Condition) error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("condition "+c.Type+" "+format, args...))
		}
	}
	generation := r.object.GetGeneration()
	fault(c.ObservedGeneration != generation, "is of generation %d, the object of %d", c.ObservedGeneration, generation)
	fault(c.Message == "", "has no message")
	fault(!constant.MatchString(c.Reason), "has %q for a reason, which is no constant", c.Reason)
	fault(c.LastTransitionTime.IsZero(), "does not say since when")
	fault(c.Status == metav1.ConditionUnknown, "is Unknown: what is not known is still being worked on")
	fault(slices.Contains(onlyWhileTrue, c.Type) && c.Status != metav1.ConditionTrue, "is %s and so should not be there", c.Status)
	return errors.Join(faults...)
}

// checkProgress: the object is done or stuck, never both, and at rest nothing is under way.
func (r *report) checkProgress() error {
	var faults []error
	ready := meta.FindStatusCondition(r.conditions, v1alpha1.ConditionReady)
	stalled := meta.FindStatusCondition(r.conditions, v1alpha1.ConditionStalled)
	if (stalled == nil) != meta.IsStatusConditionTrue(r.conditions, v1alpha1.ConditionReady) {
		faults = append(faults, errors.New("just one of Ready and Stalled has to be true"))
	}
	if stalled != nil && ready != nil && stalled.Reason != ready.Reason {
		faults = append(faults, fmt.Errorf("it is Stalled for %s and not Ready for %s", stalled.Reason, ready.Reason))
	}
	if reconciling := meta.FindStatusCondition(r.conditions, v1alpha1.ConditionReconciling); reconciling != nil {
		faults = append(faults, fmt.Errorf("it is at rest and Reconciling: %s", reconciling.Message))
	}
	return errors.Join(faults...)
}

// checkTools: whoever goes by kstatus, as Flux and kpt do, comes to the same end.
func (r *report) checkTools() error {
	seen, err := status.Compute(r.object)
	if err != nil {
		return fmt.Errorf("kstatus can't read it: %w", err)
	}
	if wanted := r.wanted(); seen.Status != wanted {
		return fmt.Errorf("kstatus calls it %s and not %s: %s", seen.Status, wanted, seen.Message)
	}
	return nil
}

func (r *report) wanted() status.Status {
	switch {
	case r.object.GetDeletionTimestamp() != nil:
		return status.TerminatingStatus
	case meta.FindStatusCondition(r.conditions, v1alpha1.ConditionStalled) != nil:
		return status.FailedStatus
	}
	return status.CurrentStatus
}
