package lastadmin_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
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

func TestLastAdmin(t *testing.T) {
	kit.RunSpecs(t, "Last admin controller")
}

var (
	plane *stack.ControlPlane
	// cached reads AdminUsers as the operator does, and has seen whatever was written through it.
	cached client.WithWatch
)

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
	cached = kit.CachedClient(plane, lastadmin.Index)
}, kit.StartTimeout)

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// bench is one namespace and one clock. Every write goes through the cached client, which so knows of it.
type bench struct {
	namespace string
	clock     *clocktesting.FakePassiveClock
	events    *kit.Events
	*lastadmin.Reconciler
}

func newBench(ctx context.Context) *bench {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	Expect(plane.Client.Create(ctx, namespace)).To(Succeed())
	clock, events := clocktesting.NewFakePassiveClock(begin), &kit.Events{}
	return &bench{
		namespace: namespace.Name, clock: clock,
		events:     events,
		Reconciler: &lastadmin.Reconciler{Client: cached, Live: plane.Client, Events: events, Clock: clock, Namespace: namespace.Name},
	}
}

// look has it look once, and not wait for anything but that an anchor has been one for a second.
func (b *bench) look(ctx context.Context) {
	GinkgoHelper()
	result, err := b.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	Expect(result.RequeueAfter).To(BeElementOf(time.Duration(0), time.Second))
}

// admin creates an AdminUser whose key is accepted.
func (b *bench) admin(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(cached.Create(ctx, &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}})).To(Succeed())
	b.active(ctx, name, metav1.ConditionTrue)
}

// active writes condition Active as the issuer does.
func (b *bench) active(ctx context.Context, name string, status metav1.ConditionStatus) {
	GinkgoHelper()
	b.editStatus(ctx, name, func(u *v1alpha1.AdminUser) {
		meta.SetStatusCondition(&u.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionActive, Status: status, Reason: "Tested"})
	})
}

func (b *bench) get(ctx context.Context, name string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: name}, user)).To(Succeed())
	return user
}

func (b *bench) edit(ctx context.Context, name string, change func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	user := b.get(ctx, name)
	change(user)
	Expect(cached.Update(ctx, user)).To(Succeed())
}

func (b *bench) editStatus(ctx context.Context, name string, change func(*v1alpha1.AdminUser)) {
	GinkgoHelper()
	user := b.get(ctx, name)
	change(user)
	Expect(cached.Status().Update(ctx, user)).To(Succeed())
}

func (b *bench) delete(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(cached.Delete(ctx, b.get(ctx, name))).To(Succeed())
}

// marked is the names of those who carry the condition.
func (b *bench) marked(ctx context.Context) []string {
	GinkgoHelper()
	var list v1alpha1.AdminUserList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(b.namespace))).To(Succeed())
	var names []string
	for i := range list.Items {
		if c := mark(&list.Items[i]); c != nil {
			Expect(c.Status).To(Equal(metav1.ConditionTrue))
			names = append(names, list.Items[i].Name)
		}
	}
	return names
}

func mark(user *v1alpha1.AdminUser) *metav1.Condition {
	return meta.FindStatusCondition(user.Status.Conditions, v1alpha1.ConditionLastAdmin)
}
