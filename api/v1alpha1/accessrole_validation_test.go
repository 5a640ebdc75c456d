package v1alpha1_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

func maxTTL(d string) string { return fmt.Sprintf(`{"limits":{"maxTTL":%q}}`, d) }

func badMaxTTL(d string) string {
	return fmt.Sprintf("spec.limits.maxTTL: Invalid value: %q: %s", d, everyForm)
}

var _ = DescribeTable("An AccessRole is refused, with one sentence for each mistake:",
	func(ctx SpecContext, spec string, want ...string) {
		_, err := accessRole.try(ctx, "rr", spec)
		Expect(complaints(err)).To(ConsistOf(want))
	},
	Entry("maxTTL under a minute", maxTTL("59s"), badMaxTTL("59s")),
	Entry("maxTTL of no time", maxTTL("0s"), badMaxTTL("0s")),
	Entry("maxTTL negative", maxTTL("-1h"), badMaxTTL("-1h")),
	Entry("maxTTL empty", maxTTL(""), badMaxTTL("")),
	Entry("maxTTL in days", maxTTL("30d"), badMaxTTL("30d")),
	Entry("maxTTL with a fraction", maxTTL("1.5h"), badMaxTTL("1.5h")),
	Entry("maxTTL of six digits", maxTTL("100000h"), badMaxTTL("100000h")),
	Entry("limits as a duration", `{"limits":"1h"}`, `spec.limits: Invalid value: "string": spec.limits in body must be of type object: "string"`),
	Entry("description too long", fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1025)), "spec.description: Too long: may not be more than 1024 bytes"),
	Entry("the spec as a list", `[]`, `spec: Invalid value: "array": spec in body must be of type object: "array"`),
)

var _ = DescribeTable("An AccessRole is accepted:",
	func(ctx SpecContext, spec string) {
		_, err := accessRole.try(ctx, "rr", spec)
		Expect(err).NotTo(HaveOccurred())
	},
	Entry("no permissions", `{"permissions":[]}`),
	Entry("empty limits", `{"limits":{}}`),
	Entry("maxTTL of a minute", maxTTL("60s")),
	Entry("maxTTL at its longest", maxTTL("99999h99999m99999s")),
	Entry("description at its longest", fmt.Sprintf(`{"description":%q}`, strings.Repeat("x", 1024))),
)

var _ = DescribeTable("Defaults of an AccessRole", func(ctx SpecContext, spec string, want map[string]any) {
	stored, err := accessRole.try(ctx, "rr", spec)
	Expect(err).NotTo(HaveOccurred())
	Expect(stored.Object["spec"]).To(Equal(want))
},
	Entry("without a spec", "", map[string]any{}),
	Entry("with an empty spec", "{}", map[string]any{}),
	Entry("with nulls", `{"description":null,"limits":null,"permissions":null}`, map[string]any{}),
)

var _ = Describe("An AccessRole", func() {
	It("is cluster-scoped", func(ctx SpecContext) {
		role := accessRole.create(ctx, "everywhere", "{}")
		Expect(role.GetNamespace()).To(BeEmpty())
		Expect(plane.Client.Get(ctx, client.ObjectKey{Name: "everywhere"}, &v1alpha1.AccessRole{})).To(Succeed())
		Expect(apierrors.IsNotFound(plane.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: "everywhere"},
			&v1alpha1.APIKey{}))).To(BeTrue())
	})

	It("can be changed in every field", func(ctx SpecContext) {
		role := accessRole.create(ctx, "changing", "{}")
		Expect(edit(ctx, role, `{"spec":{"description":"d","permissions":[`+action("*")+`],"limits":{"maxTTL":"1h"}}}`)).To(Succeed())
		Expect(edit(ctx, role, `{"spec":null}`)).To(Succeed())
	})
})
