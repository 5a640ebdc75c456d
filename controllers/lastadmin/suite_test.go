package lastadmin_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/lastadmin"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestLastAdminController(t *testing.T) {
	kit.RunSpecs(t, "Last admin controller")
}

var (
	plane *stack.ControlPlane
	// cached reads AdminUsers as the operator does. It shows every write made through it.
	cached client.WithWatch
)

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	cached = kit.CachedClient(plane, lastadmin.Index)
}, kit.StartTimeout)

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// env is a namespace with one controller and a clock. Every write goes through the cached client.
type env struct {
	namespace string
	clock     *clocktesting.FakePassiveClock
	events    *kit.Events
	*lastadmin.Reconciler
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	namespace := kit.Namespace(ctx, plane, "test-")
	clock, events := clocktesting.NewFakePassiveClock(begin), &kit.Events{}
	return &env{namespace: namespace, clock: clock, events: events, Reconciler: &lastadmin.Reconciler{
		Client: cached, Live: plane.Client, Events: events, Clock: clock, Namespace: namespace,
	}}
}

// reconcile reconciles once. It allows no requeue but that of a new anchor.
func (e *env) reconcile(ctx context.Context) {
	GinkgoHelper()
	result, err := e.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	Expect(result.RequeueAfter).To(BeElementOf(time.Duration(0), time.Second))
}

// admin creates an AdminUser whose key is accepted.
func (e *env) admin(ctx context.Context, name string) {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: name}}
	Expect(cached.Create(ctx, user)).To(Succeed())
	e.active(ctx, name, metav1.ConditionTrue)
}

// active writes condition Active as the issuer does.
func (e *env) active(ctx context.Context, name string, status metav1.ConditionStatus) {
	GinkgoHelper()
	e.editStatus(ctx, name, func(u *v1alpha1.AdminUser) {
		meta.SetStatusCondition(&u.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionActive, Status: status, Reason: "Tested",
		})
	})
}

func (e *env) get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: name}, user)).To(Succeed())
	return user
}

func (e *env) edit(ctx context.Context, name string, change func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	user := e.get(ctx, name)
	change(user)
	Expect(cached.Update(ctx, user)).To(Succeed())
}

func (e *env) editStatus(ctx context.Context, name string, change func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	user := e.get(ctx, name)
	change(user)
	Expect(cached.Status().Update(ctx, user)).To(Succeed())
}

func (e *env) delete(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(cached.Delete(ctx, e.get(ctx, name))).To(Succeed())
}

// marked returns the names of the users with condition LastAdmin.
func (e *env) marked(ctx context.Context) []string {
	GinkgoHelper()
	var list v1alpha1.AdminUserList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(e.namespace))).To(Succeed())
	var names []string
	for i := range list.Items {
		if c := conditionOf(&list.Items[i]); c != nil {
			Expect(c.Status).To(Equal(metav1.ConditionTrue))
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func conditionOf(user *v1alpha1.AdminUser) *metav1.Condition {
	return meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionLastAdmin)
}
