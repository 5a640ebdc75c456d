package admission

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A field of spec, and one of spec.rotation, that a later version may add to a CRD.
const (
	specSchema   = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/"
	addFuture    = `{"op":"add","path":"` + specSchema + `future","value":{"type":"string"}}`
	addFuture2   = `{"op":"add","path":"` + specSchema + `rotation/properties/future","value":{"type":"string"}}`
	dropFuture   = `{"op":"remove","path":"` + specSchema + `future"}`
	dropFuture2  = `{"op":"remove","path":"` + specSchema + `rotation/properties/future"}`
	futureOfSpec = `{"future":"a"}`
)

// patchCRD edits the CRD of a resource in the cluster.
func patchCRD(ctx context.Context, resource, patch string) {
	GinkgoHelper()
	_, err := plane.Kubectl(ctx, "patch", "crd", resource+".keywright.dev", "--type=json", "--patch=["+patch+"]")
	Expect(err).NotTo(HaveOccurred())
}

// keepsFuture reports whether the API server stores spec.future, which it drops if the CRD does not have it.
func keepsFuture(ctx context.Context, object *unstructured.Unstructured) bool {
	GinkgoHelper()
	patched := object.DeepCopy()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":`+futureOfSpec+`}`))
	Expect(plane.Client.Patch(ctx, patched, patch, client.DryRunAll)).To(Succeed())
	_, found, err := unstructured.NestedString(patched.Object, "spec", "future")
	Expect(err).NotTo(HaveOccurred())
	return found
}

var _ = DescribeTable("A field that no policy knows widens, wherever it is added:",
	func(ctx SpecContext, w widened, resource string, refused func(do, object string) string) {
		probe := w.object(ctx, "")
		patchCRD(ctx, resource, addFuture+","+addFuture2)
		DeferCleanup(func(ctx SpecContext) {
			patchCRD(ctx, resource, dropFuture+","+dropFuture2)
			Eventually(ctx, func() bool { return keepsFuture(ctx, probe) }).Should(BeFalse())
		})
		Eventually(ctx, func() bool { return keepsFuture(ctx, probe) }).Should(BeTrue())

		editor := person(ctx, w.namespace, w.editing...)
		expectRefusal(update(ctx, editor, probe, futureOfSpec), refused("change spec.future of", probe.GetName()))
		expectRefusal(update(ctx, editor, probe, `{"rotation":`+futureOfSpec+`}`),
			refused("change spec.rotation.future of", probe.GetName()))
		has := w.object(ctx, `{"future":"a","rotation":{"future":"a"}}`)
		expectRefusal(update(ctx, editor, has, `{"future":null}`), refused("change spec.future of", has.GetName()))
		expectRefusal(update(ctx, editor, has, `{"future":"b"}`), refused("change spec.future of", has.GetName()))
		expectRefusal(update(ctx, editor, has, `{"rotation":null}`),
			refused("change spec.rotation.future of", has.GetName()))
		expectRefusal(update(ctx, editor, has, `{"future":"a","state":"Disabled"}`), "")
	},
	Entry("to APIKeys", apiKeys, "apikeys", func(do, _ string) string { return noWidening(do, "Account/ci") }),
	Entry("to AdminUsers", adminUsers, "adminusers", noUser),
)
