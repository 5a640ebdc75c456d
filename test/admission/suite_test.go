// Package admission tests config/admission and the aggregated ClusterRoles as people meet them: users with different
// RBAC, each acting as themselves on a real API server.
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

// Namespaces: a tenant's and another one's, and one that has an AdminUser since before the policies were.
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

// expectRefusal wants a policy to have forbidden the write with exactly this message, or nobody when it is empty.
func expectRefusal(err error, message string) {
	GinkgoHelper()
	if message == "" {
		Expect(err).NotTo(HaveOccurred())
		return
	}
	Expect(refusal(err)).To(Equal(message))
}

// refusal is what a policy says to the person: its message, without the names that the API server puts before it.
func refusal(err error) string {
	GinkgoHelper()
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue(), "not refused: %v", err)
	Expect(apierrors.IsForbidden(err)).To(BeTrue(), "not forbidden: %v", err)
	_, message, found := strings.Cut(status.Status().Message, " denied request: ")
	Expect(found).To(BeTrue(), "not refused by a policy: %v", err)
	return message
}

// expectNoRight wants RBAC itself to have refused, before any policy was asked.
func expectNoRight(err error) {
	GinkgoHelper()
	Expect(apierrors.IsForbidden(err)).To(BeTrue(), "not forbidden: %v", err)
	Expect(err.Error()).NotTo(ContainSubstring("ValidatingAdmissionPolicy"))
}

// newName is one that no other spec uses.
func newName(ctx context.Context, prefix string) string {
	GinkgoHelper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: team, GenerateName: prefix + "-"}}
	Expect(plane.Client.Create(ctx, object)).To(Succeed())
	return object.Name
}
