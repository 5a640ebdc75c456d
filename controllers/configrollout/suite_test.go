package configrollout_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/controllers/configrollout"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestRollout(t *testing.T) {
	kit.RunSpecs(t, "Rollout controller")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// Documents that the operator may hand out.
const (
	first  = `{}`
	second = `{"insecureCookies":true}`
)

// bench is one namespace with one controller in it, and a clock.
type bench struct {
	namespace string
	clock     *clocktesting.FakePassiveClock
	events    *kit.Events
	*configrollout.Reconciler
}

func newBench(ctx context.Context) *bench {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	Expect(plane.Client.Create(ctx, namespace)).To(Succeed())
	b := &bench{namespace: namespace.Name, clock: clocktesting.NewFakePassiveClock(begin), events: &kit.Events{}}
	b.Reconciler = &configrollout.Reconciler{
		Config: plane.Client, Runtime: plane.Client, Leases: plane.Client,
		Events: b.events, Clock: b.clock, Namespace: b.namespace,
	}
	return b
}

// settled is a bench whose controller has found two servers with the first document.
func settled(ctx context.Context) *bench {
	GinkgoHelper()
	b := newBench(ctx)
	b.configure(ctx)
	b.handOut(ctx, first)
	b.reports(ctx, "a", first)
	b.reports(ctx, "b", first)
	Expect(b.look(ctx)).To(BeZero())
	Expect(b.events.Take()).To(BeEmpty())
	return b
}

// look reconciles once and returns when it is looked again by itself.
func (b *bench) look(ctx context.Context) time.Duration {
	GinkgoHelper()
	result, err := b.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

func (b *bench) pass(d time.Duration) { b.clock.SetTime(b.clock.Now().Add(d)) }

// configure writes keywright-config as a person does. What it holds is not this controller's business.
func (b *bench) configure(ctx context.Context) {
	GinkgoHelper()
	b.put(ctx, "keywright-config", map[string]string{"SECURE_COOKIES": "true"})
}

// handOut writes keywright-runtime as the settings controller does.
func (b *bench) handOut(ctx context.Context, document string) {
	GinkgoHelper()
	b.put(ctx, "keywright-runtime", map[string]string{"runtime.json": document})
}

func (b *bench) put(ctx context.Context, name string, data map[string]string) {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{ObjectMeta: b.named(name)}
	err := plane.Client.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)
	configMap.Data = data
	if err != nil {
		Expect(plane.Client.Create(ctx, configMap)).To(Succeed())
		return
	}
	Expect(plane.Client.Update(ctx, configMap)).To(Succeed())
}

func (b *bench) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: b.namespace, Name: name}
}

// reports writes the Lease of a server that runs a document, "" standing for none, as of now.
func (b *bench) reports(ctx context.Context, name, document string, change ...func(*coordinationv1.Lease)) {
	GinkgoHelper()
	lease := &coordinationv1.Lease{ObjectMeta: b.named("keywright-server-" + name)}
	err := plane.Client.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	exists := err == nil
	lease.Labels = map[string]string{"app.kubernetes.io/name": "keywright", "app.kubernetes.io/component": "server"}
	lease.Annotations = map[string]string{"keywright.dev/configuration": config.Revision(document)}
	if document == "" {
		lease.Annotations = nil
	}
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new(name), LeaseDurationSeconds: new(int32(45)), RenewTime: new(metav1.NewMicroTime(b.clock.Now())),
	}
	for _, c := range change {
		c(lease)
	}
	if exists {
		Expect(plane.Client.Update(ctx, lease)).To(Succeed())
		return
	}
	Expect(plane.Client.Create(ctx, lease)).To(Succeed())
}

func (b *bench) remove(ctx context.Context, object client.Object, name string) {
	GinkgoHelper()
	object.SetNamespace(b.namespace)
	object.SetName(name)
	Expect(plane.Client.Delete(ctx, object)).To(Succeed())
}
