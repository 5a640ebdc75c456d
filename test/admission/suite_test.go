// Package admission tests config/admission and the aggregated ClusterRoles on a real API server, with users of
// different RBAC.
package admission

import (
	"context"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/serverlimits"
	"keywright.dev/keywright/test/stack"
)

func TestAdmission(t *testing.T) {
	kit.RunSpecs(t, "Admission")
}

// Namespaces of two tenants, and two with an AdminUser that is older than the policies.
const (
	team  = "team-a"
	other = "team-b"
	old   = "old"
	// closing has a disabled AdminUser.
	closing = "closing"
)

var plane *stack.ControlPlane

// installed is config/rbac and config/admission as they are.
var installed = &serverlimits.Installation{Namespace: stack.Namespace, Elsewhere: team}

var _ = installed.Specs()

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	installed.Plane = plane
	for _, name := range []string{team, other, old, closing} {
		Expect(plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	}
	createAdmin(ctx, old, "zoe", v1alpha1.AdminUserSpec{})
	markLast(ctx, old, "zoe")
	createAdmin(ctx, closing, "yan", v1alpha1.AdminUserSpec{State: v1alpha1.StateDisabled})
	Expect(plane.InstallPolicies(ctx)).To(Succeed())
}, kit.StartTimeout)

func expectRefusal(err error, message string) {
	GinkgoHelper()
	kit.ExpectRefusal(err, message)
}

func refusal(err error) string {
	GinkgoHelper()
	return kit.Refusal(err)
}

func expectNoRight(err error) {
	GinkgoHelper()
	kit.ExpectNoRight(err)
}

// newName returns a name that no other spec uses.
func newName(ctx context.Context, prefix string) string {
	GinkgoHelper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: team, GenerateName: prefix + "-"}}
	Expect(plane.Client.Create(ctx, object)).To(Succeed())
	return object.Name
}
