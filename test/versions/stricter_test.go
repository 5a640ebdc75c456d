package versions

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"
)

// Why the rules of structs are frozen, and those of single values are not. The stricter rules refuse the description
// that is stored.
var _ = Describe("A rule that becomes stricter than an object that is stored", func() {
	accepted, refused := Succeed(), MatchError(apierrors.IsInvalid, "invalid")

	DescribeTable("belongs to", func(
		ctx SpecContext, group, rule string, path []string, status, otherField types.GomegaMatcher,
	) {
		c := newCopied(ctx, "AdminUser", team, group+".example.com")
		c.apply(ctx, alpha, "stored")
		for _, version := range c.versions() {
			node := schemaOf(version)
			for _, name := range path {
				node = properties(node, name)
			}
			rules, _ := node["x-kubernetes-validations"].([]any)
			node["x-kubernetes-validations"] = append(rules, map[string]any{"rule": rule})
		}
		c.install(ctx)

		patch := func(body string, subresources ...string) error {
			_, err := c.admin.Resource(c.at(alpha)).Namespace(team).
				Patch(ctx, "reader", apitypes.MergePatchType, []byte(body), metav1.PatchOptions{}, subresources...)
			return err
		}
		Eventually(func() error { return patch(`{"spec":{"description":"still refused"}}`) }).Should(refused, "in force")
		Expect(patch(`{"spec":{"state":"Disabled"}}`)).To(otherField)
		Expect(patch(`{"status":{"secretName":"a-secret"}}`, "status")).To(status)
	},
		Entry("the whole object: not even status can be written",
			"root", "!has(self.spec.description) || !self.spec.description.startsWith('st')", nil, refused, refused),
		Entry("a struct: no other field of it can be changed",
			"struct", "!has(self.description) || !self.description.startsWith('st')", []string{"spec"}, accepted, refused),
		Entry("a single value: only that has to meet it",
			"leaf", "!self.startsWith('st')", []string{"spec", "description"}, accepted, accepted),
	)
})
