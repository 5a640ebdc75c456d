package manifest

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Change is a change of an object, for people who commit it or use kubectl.
type Change struct {
	// YAML is the manifest after the change. It is empty if the object would be gone.
	YAML string
	// Command is the kubectl command. It is empty if there is nothing to change with kubectl.
	Command string
}

// Changed returns the change of an object from before to after.
func Changed(before, after keyholder.Object) (change Change, err error) {
	if change.YAML, err = Of(after); err != nil {
		return Change{}, err
	}
	change.Command, err = Patch(before, after)
	return change, err
}

// Rotated returns the request for a new key of an object whose key the operator delivers in a Secret. Git asks for one
// with spec.rotation.after, and kubectl with an annotation.
func Rotated(o keyholder.Object, now time.Time) (Change, error) {
	now = now.UTC().Truncate(time.Second)
	copied := o.DeepCopyObject()
	var rotation **v1alpha1.Rotation
	switch o := copied.(type) {
	case *v1alpha1.APIKey:
		rotation = &o.Spec.Rotation
	case *v1alpha1.AdminUser:
		rotation = &o.Spec.Rotation
	}
	if *rotation == nil {
		*rotation = &v1alpha1.Rotation{}
	}
	(*rotation).After = &metav1.Time{Time: now}
	text, err := Of(copied.(keyholder.Object))
	return Change{
		YAML: text,
		Command: fmt.Sprintf("kubectl annotate %s %s --overwrite %s=%s",
			named(o), byHand, v1alpha1.AnnotationRotate, now.Format(time.RFC3339)),
	}, err
}

// Deleted returns the deletion of an object.
func Deleted(o keyholder.Object) Change {
	return Change{Command: "kubectl delete " + named(o)}
}

// byHand is the flag of a write that Flux leaves alone until the next sync: docs/gitops.md.
const byHand = "--field-manager=" + v1alpha1.IncidentFieldManager

// named returns the words that name an object in a kubectl command.
func named(o keyholder.Object) string {
	return fmt.Sprintf("%s %s -n %s", strings.ToLower(keyholder.KindOf(o)), o.GetName(), o.GetNamespace())
}
