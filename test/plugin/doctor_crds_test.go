package plugin

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// schemaPath is where a patch of a CRD finds the fields of its objects.
const schemaPath = "/spec/versions/0/schema/openAPIV3Schema/properties"

// older is the patch that removes a field of AccessRoles, and newer the one that adds a field to them.
var (
	older = `[{"op":"remove","path":"` + schemaPath + `/spec/properties/description"}]`
	newer = `[{"op":"add","path":"` + schemaPath + `/spec/properties/colour","value":{"type":"string"}}]`
)

// patchCRD changes a CRD by a JSON patch.
func patchCRD(ctx context.Context, plane *stack.ControlPlane, name, patch string) {
	GinkgoHelper()
	_, err := plane.Kubectl(ctx, "patch", "crd", name, "--type=json", "-p", patch)
	Expect(err).NotTo(HaveOccurred())
}

// restoreCRDs makes the CRDs again what they are in this checkout.
func restoreCRDs(ctx context.Context, plane *stack.ControlPlane) {
	GinkgoHelper()
	_, err := plane.Kubectl(ctx, "apply", "--server-side", "--force-conflicts", "-k", "config/crd")
	Expect(err).NotTo(HaveOccurred())
}

var _ = Describe("kubectl keywright doctor, about CRDs", Ordered, func() {
	const role = "accessroles.keywright.dev"
	var plane *stack.ControlPlane
	var e examination

	BeforeAll(func(ctx SpecContext) {
		plane = kit.ControlPlane(ctx)
		e = examination{kubeconfig: plane.Kubeconfig, version: "v1.2.3"}
	}, kit.StartTimeout)

	// finds waits for the only findings of a check. The API server publishes changes of a CRD a moment later.
	finds := func(ctx context.Context, e examination, check string, want ...finding) {
		GinkgoHelper()
		for i := range want {
			want[i].Check = check
		}
		Eventually(func(g Gomega) {
			findings, _ := e.run(ctx)
			g.Expect(of(findings, check)).To(Equal(want))
		}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
	}
	const remedy = "if the operator is of the version of this program (v1.2.3): kubectl apply --server-side " +
		"-k config/crd, of that version: docs/upgrade.md, The CRDs. If not, run kubectl keywright doctor of the " +
		"operator's version"
	fine := finding{State: "ok", Detail: "the CRDs have the fields and rules that this program knows"}

	It("finds no difference to the CRDs of this checkout", func(ctx SpecContext) {
		finds(ctx, e, "fields", fine)
	})

	DescribeTable("warns of", func(ctx SpecContext, patch, detail string) {
		patchCRD(ctx, plane, role, patch)
		DeferCleanup(restoreCRDs, plane)
		finds(ctx, e, "fields", finding{State: "warning", Detail: "CRD " + role + " " + detail, Remedy: remedy})
		// It takes no right.
		stranger := e
		stranger.args = []string{"--as=stranger"}
		finds(ctx, stranger, "fields", finding{State: "warning", Detail: "CRD " + role + " " + detail, Remedy: remedy})
	},
		Entry("older CRDs", older, "lacks spec.description: the API server drops what is written there"),
		Entry("newer CRDs", newer, "has fields that this program does not know: spec.colour"),
		Entry("another bound of the same field",
			`[{"op":"replace","path":"`+schemaPath+`/spec/properties/description/maxLength","value":7}]`,
			"has other rules for spec.description"),
		Entry("a rule less", `[{"op":"remove","path":"`+schemaPath+`/spec/properties/apiKeys/x-kubernetes-validations"}]`,
			"has other rules for spec.apiKeys"),
	)

	It("names each CRD that differs", func(ctx SpecContext) {
		DeferCleanup(restoreCRDs, plane)
		patchCRD(ctx, plane, role, older)
		patchCRD(ctx, plane, "accessrolebindings.keywright.dev", newer)
		finds(ctx, e, "fields",
			finding{State: "warning", Detail: "CRD " + role +
				" lacks spec.description: the API server drops what is written there", Remedy: remedy},
			finding{State: "warning", Detail: "CRD accessrolebindings.keywright.dev" +
				" has fields that this program does not know: spec.colour", Remedy: remedy})
	})

	It("finds a version that is not served, and a CRD that is missing", func(ctx SpecContext) {
		DeferCleanup(restoreCRDs, plane)
		crd, err := plane.Kubectl(ctx, "get", "crd", role, "-o", "json")
		Expect(err).NotTo(HaveOccurred())
		var definition struct {
			Spec struct{ Versions []map[string]any }
		}
		Expect(json.Unmarshal([]byte(crd), &definition)).To(Succeed())
		next := definition.Spec.Versions[0]
		next["name"], next["storage"], next["served"] = "v1beta1", false, true
		added, err := json.Marshal(next)
		Expect(err).NotTo(HaveOccurred())
		patchCRD(ctx, plane, role, `[{"op":"replace","path":"/spec/versions/0/served","value":false},`+
			`{"op":"add","path":"/spec/versions/1","value":`+string(added)+`}]`)
		patchCRD(ctx, plane, "accessrolebindings.keywright.dev",
			`[{"op":"replace","path":"/spec/versions/0/served","value":false}]`)
		_, err = plane.Kubectl(ctx, "delete", "crd", "adminusers.keywright.dev")
		Expect(err).NotTo(HaveOccurred())

		const apply = "kubectl apply --server-side -k config/crd"
		const other = apply + ", of the version of the programs: docs/upgrade.md, The CRDs"
		finds(ctx, e, "kinds",
			finding{State: "wrong", Remedy: other,
				Detail: "CRD accessroles.keywright.dev serves v1beta1 only, and the programs work with v1alpha1"},
			finding{State: "wrong", Remedy: other,
				Detail: "CRD accessrolebindings.keywright.dev serves no version, and the programs work with v1alpha1"},
			finding{State: "wrong", Detail: "not installed: AdminUser", Remedy: apply})
		finds(ctx, e, "fields", fine)
		patchCRD(ctx, plane, "apikeys.keywright.dev", `[{"op":"replace","path":"/spec/versions/0/served","value":false}]`)
		finds(ctx, e, "fields", finding{State: "unknown", Detail: "no kind is served: see the finding on kinds"})
	})
})

var _ = Describe("kubectl keywright doctor, about CRDs while the programs run", Ordered, func() {
	It("warns, and finds nothing wrong, and names the version to install", func(ctx SpecContext) {
		deploy(ctx, "keywright/operator:v1.2.3", "keywright/server:v1.2.3")
		for _, name := range []string{"keywright-operator", "keywright-server"} {
			startPod(ctx, name, isReady)
		}
		restore("crd")
		patchCRD(ctx, s.ControlPlane, "accessroles.keywright.dev", older)
		for version, remedy := range map[string]string{
			"v1.2.3": "kubectl apply --server-side -k config/crd, of v1.2.3: docs/upgrade.md, The CRDs",
			"v1.2.0": "this program is v1.2.0, and the operator v1.2.3: install kubectl keywright v1.2.3, and run this again",
		} {
			e := examination{kubeconfig: s.Kubeconfig, version: version, args: []string{"--keywright-server", s.ServerURL}}
			Eventually(func(g Gomega) {
				findings, code := e.run(ctx)
				g.Expect(of(findings, "fields")).To(ConsistOf(SatisfyAll(HaveField("State", "warning"),
					HaveField("Detail", ContainSubstring("lacks spec.description")), HaveField("Remedy", remedy))))
				g.Expect(findings).NotTo(ContainElement(HaveField("State", "wrong")))
				g.Expect(code).To(BeZero())
			}).WithContext(ctx).WithTimeout(time.Minute).Should(Succeed())
		}
	})
})
