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

func TestConfigRollout(t *testing.T) {
	kit.RunSpecs(t, "Configuration rollout")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

var begin = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// Documents that the compiler may publish.
const (
	first  = `{}`
	second = `{"insecureCookies":true}`
)

// env is a namespace with one controller and a clock.
type env struct {
	namespace string
	clock     *clocktesting.FakePassiveClock
	events    *kit.Events
	*configrollout.Reconciler
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	namespace := kit.Namespace(ctx, plane, "test-")
	e := &env{namespace: namespace, clock: clocktesting.NewFakePassiveClock(begin), events: &kit.Events{}}
	e.Reconciler = &configrollout.Reconciler{
		Config: plane.Client, Runtime: plane.Client, Leases: plane.Client,
		Events: e.events, Clock: e.clock, Namespace: e.namespace,
	}
	return e
}

// settled returns an env whose controller has found two replicas with the first document.
func settled(ctx context.Context) *env {
	GinkgoHelper()
	e := newEnv(ctx)
	e.configure(ctx)
	e.publish(ctx, first)
	e.reports(ctx, "a", first)
	e.reports(ctx, "b", first)
	Expect(e.reconcile(ctx)).To(BeZero())
	Expect(e.events.Take()).To(BeEmpty())
	return e
}

// reconcile reconciles once and returns when the rollout is checked again.
func (e *env) reconcile(ctx context.Context) time.Duration {
	GinkgoHelper()
	result, err := e.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

func (e *env) pass(d time.Duration) { e.clock.SetTime(e.clock.Now().Add(d)) }

// configure writes keywright-config. Its content does not matter to this controller.
func (e *env) configure(ctx context.Context) {
	GinkgoHelper()
	e.put(ctx, "keywright-config", map[string]string{"SECURE_COOKIES": "true"})
}

// publish writes keywright-runtime as the configuration compiler does.
func (e *env) publish(ctx context.Context, document string) {
	GinkgoHelper()
	e.put(ctx, "keywright-runtime", map[string]string{"runtime.json": document})
}

func (e *env) put(ctx context.Context, name string, data map[string]string) {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{ObjectMeta: e.named(name)}
	err := plane.Client.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)
	configMap.Data = data
	if err != nil {
		Expect(plane.Client.Create(ctx, configMap)).To(Succeed())
		return
	}
	Expect(plane.Client.Update(ctx, configMap)).To(Succeed())
}

func (e *env) named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.namespace, Name: name}
}

// reports writes the Lease of a replica that runs a document, or none if it is "", as of now.
func (e *env) reports(ctx context.Context, name, document string, change ...func(*coordinationv1.Lease)) {
	GinkgoHelper()
	lease := &coordinationv1.Lease{ObjectMeta: e.named("keywright-server-" + name)}
	err := plane.Client.Get(ctx, client.ObjectKeyFromObject(lease), lease)
	exists := err == nil
	lease.Labels = map[string]string{"app.kubernetes.io/name": "keywright", "app.kubernetes.io/component": "server"}
	lease.Annotations = map[string]string{"keywright.dev/configuration": config.Revision(document)}
	if document == "" {
		lease.Annotations = nil
	}
	lease.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new(name), LeaseDurationSeconds: new(int32(45)),
		RenewTime: new(metav1.NewMicroTime(e.clock.Now())),
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

func (e *env) remove(ctx context.Context, object client.Object, name string) {
	GinkgoHelper()
	object.SetNamespace(e.namespace)
	object.SetName(name)
	Expect(plane.Client.Delete(ctx, object)).To(Succeed())
}
