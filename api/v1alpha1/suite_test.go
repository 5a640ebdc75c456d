package v1alpha1_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestAPI(t *testing.T) {
	kit.RunSpecs(t, "API")
}

var plane *stack.ControlPlane

// The admission policies are installed beside the CRDs, as in an installation.
var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	Expect(plane.InstallPolicies(ctx)).To(Succeed())
}, kit.StartTimeout)

// kind is one of the API's kinds, with the namespace of its objects: "" if it is cluster-scoped.
type kind struct {
	name, namespace string
}

var (
	adminUser  = kind{"AdminUser", stack.Namespace}
	apiKey     = kind{"APIKey", "default"}
	accessRole = kind{"AccessRole", ""}

	accessRoleBinding = kind{"AccessRoleBinding", ""}
)

// manifest returns an object as a person writes it: spec is JSON, "" omits it.
func (k kind) manifest(name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(k.name))
	object.SetNamespace(k.namespace)
	object.SetName(name)
	if spec != "" {
		var content any
		Expect(json.Unmarshal([]byte(spec), &content)).To(Succeed())
		object.Object["spec"] = content
	}
	return object
}

// in returns the same kind in another namespace.
func (k kind) in(namespace string) kind { return kind{k.name, namespace} }

// create applies a manifest, and deletes the object at the end of the spec.
func (k kind) create(ctx context.Context, name, spec string) *unstructured.Unstructured {
	GinkgoHelper()
	object := k.manifest(name, spec)
	Expect(plane.Client.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(plane.Client.Delete(ctx, object)).To(Succeed()) })
	return object
}

// try applies a manifest as a dry run and returns what the API server would store.
func (k kind) try(ctx context.Context, name, spec string) (*unstructured.Unstructured, error) {
	GinkgoHelper()
	object := k.manifest(name, spec)
	return object, noted(plane.Client.Create(ctx, object, client.DryRunAll))
}

// edit patches an object, or its status, as kubectl patch --type=merge does.
func edit(ctx context.Context, object *unstructured.Unstructured, patch string) error {
	return noted(plane.Client.Patch(ctx, object.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(patch)),
		client.DryRunAll))
}

func editStatus(ctx context.Context, object *unstructured.Unstructured, status string) error {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status":`+status+`}`))
	return noted(plane.Client.Status().Patch(ctx, object.DeepCopy(), patch))
}

// complaints returns the lines of a refusal: "<field>: <message>", without the note of the API server that it has
// stopped checking.
func complaints(err error) []string {
	GinkgoHelper()
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue(), "not a refusal: %v", err)
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "not refused as invalid: %v", err)
	var lines []string
	for _, cause := range status.Status().Details.Causes {
		if !strings.Contains(cause.Message, "some validation rules were not checked") {
			lines = append(lines, cause.Field+": "+cause.Message)
		}
	}
	return lines
}
