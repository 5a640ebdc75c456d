// Package admission tests config/admission and the aggregated ClusterRoles on a real API server, with users of
// different RBAC.
package admission

import (
	"context"
	"errors"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestAdmission(t *testing.T) {
	kit.RunSpecs(t, "Admission")
}

// Namespaces of two tenants, and one with an AdminUser that is older than the policies.
const (
	team  = "team-a"
	other = "team-b"
	old   = "old"
)

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	for _, name := range []string{team, other, old} {
		Expect(plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
	createAdmin(ctx, old, "zoe", v1alpha1.AdminUserSpec{})
	markLast(ctx, old, "zoe")
	Expect(plane.InstallPolicies(ctx)).To(Succeed())
}, kit.StartTimeout)

// expectRefusal expects that a policy forbade the write with exactly this message, or that the write succeeded if it is
// empty.
func expectRefusal(err error, message string) {
	GinkgoHelper()
	if message == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	Expect(refusal(err)).To(Equal(message))
}

// refusal returns a policy's message, without the names that the API server puts before it.
func refusal(err error) string {
	GinkgoHelper()
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue(), "not refused: %v", err)
	Expect(apierrors.IsForbidden(err)).To(BeTrue(), "not forbidden: %v", err)
	_, message, found := strings.Cut(status.Status().Message, " denied request: ")
	Expect(found).To(BeTrue(), "not refused by a policy: %v", err)
	return message
}

// expectNoRight expects a refusal by RBAC, which precedes the policies.
func expectNoRight(err error) {
	GinkgoHelper()
	Expect(apierrors.IsForbidden(err)).To(BeTrue(), "not forbidden: %v", err)
	Expect(err.Error()).NotTo(ContainSubstring("ValidatingAdmissionPolicy"))
}

// newName returns a name that no other spec uses.
func newName(ctx context.Context, prefix string) string {
	GinkgoHelper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: team, GenerateName: prefix + "-"}}
	Expect(plane.Client.Create(ctx, object)).To(Succeed())
	return object.Name
}
