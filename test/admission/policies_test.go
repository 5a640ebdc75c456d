package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Flux with force: true deletes an object and creates it again after every refusal that it takes for a change of an
// immutable field: reasons Invalid and Conflict, and messages with that word. kit.Refusal asks Flux's own function
// about every refusal of this suite; this is about those that no spec causes.
var _ = Describe("Every validation of every policy", func() {
	It("refuses as Forbidden, and never with the word that makes Flux create the object again", func(ctx SpecContext) {
		var policies admissionv1.ValidatingAdmissionPolicyList
		Expect(plane.Client.List(ctx, &policies, client.MatchingLabels{"app.kubernetes.io/name": "keywright"})).To(Succeed())
		Expect(len(policies.Items)).To(BeNumerically(">", 10))
		for _, policy := range policies.Items {
			Expect(policy.Spec.FailurePolicy).To(HaveValue(Equal(admissionv1.Fail)), policy.Name)
			for _, v := range policy.Spec.Validations {
				where := policy.Name + ": " + v.Expression
				Expect(v.Reason).To(HaveValue(Equal(metav1.StatusReasonForbidden)), where)
				Expect(strings.ToLower(v.Message+v.MessageExpression)).NotTo(ContainSubstring("immutable"), where)
			}
			for _, v := range policy.Spec.Variables {
				Expect(strings.ToLower(v.Expression)).NotTo(ContainSubstring("immutable"), policy.Name)
			}
		}
	})

	It("applies to every served version of a kind", func(ctx SpecContext) {
		var policies admissionv1.ValidatingAdmissionPolicyList
		Expect(plane.Client.List(ctx, &policies, client.MatchingLabels{"app.kubernetes.io/name": "keywright"})).To(Succeed())
		for _, policy := range policies.Items {
			for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
				Expect(rule.APIVersions).To(Equal([]string{"*"}), policy.Name)
			}
		}
	})

	It("is bound", func(ctx SpecContext) {
		var policies admissionv1.ValidatingAdmissionPolicyList
		Expect(plane.Client.List(ctx, &policies, client.MatchingLabels{"app.kubernetes.io/name": "keywright"})).To(Succeed())
		for _, policy := range policies.Items {
			var binding admissionv1.ValidatingAdmissionPolicyBinding
			Expect(plane.Client.Get(ctx, client.ObjectKey{Name: policy.Name}, &binding)).To(Succeed())
			Expect(binding.Spec.PolicyName).To(Equal(policy.Name))
			Expect(binding.Spec.ValidationActions).To(Equal(actions(policy.Name)), policy.Name)
		}
	})
})

// actions returns what happens when a policy refuses a write.
func actions(policy string) []admissionv1.ValidationAction {
	switch {
	case policy == "keywright-response-delivery":
		return []admissionv1.ValidationAction{admissionv1.Warn}
	case strings.HasPrefix(policy, "keywright-server-"):
		return []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}
	}
	return []admissionv1.ValidationAction{admissionv1.Deny}
}
