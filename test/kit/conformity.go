package kit

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// CheckAtRest returns everything that is wrong with an object whose controller has nothing left to do, or nil. It
// accepts typed and unstructured objects. It checks what holds for every kind, as people, kubectl wait and tools based
// on kstatus read it; what the reasons of a kind mean is tested in that kind's suite. AccessRoles and their bindings
// have no status: they only have to be current.
func CheckAtRest(object client.Object) error {
	r, err := readReport(object)
	if err != nil {
		return err
	}
	faults := []error{r.checkKstatus()}
	if hasStatus(object) {
		faults = append(faults, r.checkStatus(), r.checkProgress())
	}
	return errors.Join(faults...)
}

func hasStatus(object client.Object) bool {
	switch object.(type) {
	case *v1alpha1.AccessRole, *v1alpha1.AccessRoleBinding:
		return false
	}
	return !strings.HasPrefix(object.GetObjectKind().GroupVersionKind().Kind, "AccessRole")
}

// report is the part of an object that CheckAtRest judges.
type report struct {
	object     *unstructured.Unstructured
	observed   int64
	conditions []metav1.Condition
}

func readReport(object client.Object) (*report, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Status struct {
			ObservedGeneration int64              `json:"observedGeneration"`
			Conditions         []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &parsed)
	return &report{
		object:   &unstructured.Unstructured{Object: content},
		observed: parsed.Status.ObservedGeneration, conditions: parsed.Status.Conditions,
	}, err
}

// onlyWhileTrue are the conditions that exist only while they are true.
var onlyWhileTrue = []string{v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionLastAdmin}

// constantReason is the form of a reason that programs can compare.
var constantReason = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)

// checkStatus checks that the status describes the current spec, in complete conditions.
func (r *report) checkStatus() error {
	var faults []error
	if generation := r.object.GetGeneration(); r.observed != generation {
		faults = append(faults, fmt.Errorf("status.observedGeneration is %d, the generation %d", r.observed, generation))
	}
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionActive} {
		if meta.FindStatusCondition(r.conditions, kind) == nil {
			faults = append(faults, fmt.Errorf("condition %s is missing", kind))
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
	fault(c.ObservedGeneration != generation, "has observedGeneration %d, the object generation %d",
		c.ObservedGeneration, generation)
	fault(c.Message == "", "has no message")
	fault(!constantReason.MatchString(c.Reason), "has reason %q, which is not a constant", c.Reason)
	fault(c.LastTransitionTime.IsZero(), "has no lastTransitionTime")
	fault(c.Status == metav1.ConditionUnknown, "is Unknown, so work is still in progress")
	fault(slices.Contains(onlyWhileTrue, c.Type) && c.Status != metav1.ConditionTrue,
		"is %s and should not exist", c.Status)
	return errors.Join(faults...)
}

// checkProgress checks that the object is either Ready or Stalled, and not Reconciling.
func (r *report) checkProgress() error {
	var faults []error
	ready := meta.FindStatusCondition(r.conditions, v1alpha1.ConditionReady)
	stalled := meta.FindStatusCondition(r.conditions, v1alpha1.ConditionStalled)
	if (stalled == nil) != meta.IsStatusConditionTrue(r.conditions, v1alpha1.ConditionReady) {
		faults = append(faults, errors.New("exactly one of Ready and Stalled has to be true"))
	}
	if stalled != nil && ready != nil && stalled.Reason != ready.Reason {
		faults = append(faults,
			fmt.Errorf("condition Stalled has reason %s, Ready has reason %s", stalled.Reason, ready.Reason))
	}
	if reconciling := meta.FindStatusCondition(r.conditions, v1alpha1.ConditionReconciling); reconciling != nil {
		faults = append(faults, fmt.Errorf("it is at rest and Reconciling: %s", reconciling.Message))
	}
	return errors.Join(faults...)
}

// checkKstatus checks that kstatus, which Flux and kpt use, comes to the same result.
func (r *report) checkKstatus() error {
	got, err := status.Compute(r.object)
	if err != nil {
		return fmt.Errorf("kstatus cannot read it: %w", err)
	}
	if wanted := r.wanted(); got.Status != wanted {
		return fmt.Errorf("kstatus reports %s instead of %s: %s", got.Status, wanted, got.Message)
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
