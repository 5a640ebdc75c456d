package conformity

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// Check returns all that is wrong with an object at rest, or nil. Typed and unstructured objects are the same to it.
// An AccessRole has no status and only has to be current.
func Check(object client.Object) error {
	r, err := read(object)
	if err != nil {
		return err
	}
	faults := []error{r.checkTools()}
	if keepsStatus(object) {
		faults = append(faults, r.checkStatus(), r.checkProgress())
	}
	return errors.Join(faults...)
}

func keepsStatus(object client.Object) bool {
	_, role := object.(*v1alpha1.AccessRole)
	return !role && object.GetObjectKind().GroupVersionKind().Kind != "AccessRole"
}

// report is what an object says of itself, as any client reads it.
type report struct {
	object     *unstructured.Unstructured
	observed   int64
	conditions []metav1.Condition
}

func read(object client.Object) (*report, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, err
	}
	var said struct {
		Status struct {
			ObservedGeneration int64              `json:"observedGeneration"`
			Conditions         []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	err = runtime.DefaultUnstructuredConverter.FromUnstructured(content, &said)
	return &report{
		object:   &unstructured.Unstructured{Object: content},
		observed: said.Status.ObservedGeneration, conditions: said.Status.Conditions,
	}, err
}
