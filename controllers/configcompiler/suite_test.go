package configcompiler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/configcompiler"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestConfigCompiler(t *testing.T) {
	kit.RunSpecs(t, "Configuration compiler")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

const (
	bootstrap = "change-this-admin-secret"
	another   = "another-bootstrap-secret"
)

// env is a namespace with one controller.
type env struct {
	namespace string
	ring      *pepper.Keyring
	pepperErr error
	events    *kit.Events
	// requeued has the requeued AdminUsers.
	requeued chan event.GenericEvent
	*configcompiler.Reconciler
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	namespace := kit.Namespace(ctx, plane, "test-")
	e := &env{
		namespace: namespace, ring: kit.Keyring("p"), events: &kit.Events{},
		requeued: make(chan event.GenericEvent, 10),
	}
	e.restart()
	return e
}

// restart creates a new controller, like a restart of the operator.
func (e *env) restart() {
	c := settled(plane.Client)
	e.Reconciler = &configcompiler.Reconciler{
		Client: c, Live: c, Events: e.events, Peppers: e, Clock: clock.RealClock{}, Namespace: e.namespace,
		Formats: &configcompiler.Formats{},
		Scope:   keyholder.Scope{System: e.namespace, Namespaces: []string{e.namespace}},
		Requeue: map[string]chan<- event.GenericEvent{keyholder.AdminUser: e.requeued},
	}
}

// settled returns a client that shows the operator's writes as later than all others, so that no spec has to wait for
// the next second.
func settled(c client.WithWatch) client.WithWatch {
	shift := func(o client.Object) {
		fields := o.GetManagedFields()
		for i := range fields {
			if fields[i].Manager == v1alpha1.FieldManager {
				fields[i].Time = &metav1.Time{Time: fields[i].Time.Add(time.Hour)}
			}
		}
		o.SetManagedFields(fields)
	}
	return interceptor.NewClient(c, interceptor.Funcs{
		Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption,
		) error {
			defer shift(o)
			return c.Get(ctx, key, o, options...)
		},
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption,
		) error {
			defer shift(o)
			return c.Patch(ctx, o, patch, options...)
		},
	})
}

// Keyring implements keysource.Peppers.
func (e *env) Keyring() (*pepper.Keyring, error) { return e.ring, e.pepperErr }

// reconcile reconciles once and returns when the configuration is checked again.
func (e *env) reconcile(ctx context.Context) time.Duration {
	GinkgoHelper()
	result, err := e.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	e.checkNoPlaintext(ctx)
	return result.RequeueAfter
}

// checkNoPlaintext checks that neither the document nor an event contains a bootstrap key.
func (e *env) checkNoPlaintext(ctx context.Context) {
	GinkgoHelper()
	document, err := json.Marshal(e.runtime(ctx))
	Expect(err).NotTo(HaveOccurred())
	for _, text := range append(e.events.Peek(), string(document)) {
		Expect(text).NotTo(Or(ContainSubstring(bootstrap), ContainSubstring(another)))
	}
}

// put replaces the content of a ConfigMap.
func (e *env) put(ctx context.Context, name string, data map[string]string) {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: name}}
	err := plane.Client.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)
	configMap.Data = data
	if err != nil {
		Expect(plane.Client.Create(ctx, configMap)).To(Succeed())
		return
	}
	Expect(plane.Client.Update(ctx, configMap)).To(Succeed())
}

// configure writes keywright-config from pairs of a name and a value.
func (e *env) configure(ctx context.Context, pairs ...string) {
	GinkgoHelper()
	data := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = pairs[i+1]
	}
	e.put(ctx, "keywright-config", data)
}

// create creates keywright-config with this content.
func (e *env) create(ctx context.Context, configMap *corev1.ConfigMap) {
	GinkgoHelper()
	configMap.Namespace, configMap.Name = e.namespace, "keywright-config"
	Expect(plane.Client.Create(ctx, configMap)).To(Succeed())
}

// label adds a label to Secret boot.
func (e *env) label(ctx context.Context, name, value string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "boot"}}
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, name, value)
	Expect(plane.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

func (e *env) remove(ctx context.Context, object client.Object, name string) {
	GinkgoHelper()
	object.SetNamespace(e.namespace)
	object.SetName(name)
	Expect(plane.Client.Delete(ctx, object)).To(Succeed())
}

// secret writes Secret boot.
func (e *env) secret(ctx context.Context, data map[string]string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: "boot"}}
	Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, secret.DeepCopy()))).To(Succeed())
	secret.StringData = data
	Expect(plane.Client.Create(ctx, secret)).To(Succeed())
}

// runtime returns keywright-runtime, or an empty ConfigMap.
func (e *env) runtime(ctx context.Context) *corev1.ConfigMap {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{}
	err := plane.Client.Get(ctx, client.ObjectKey{Namespace: e.namespace, Name: "keywright-runtime"}, configMap)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return configMap
}

// document returns the published document.
func (e *env) document(ctx context.Context) string {
	GinkgoHelper()
	return e.runtime(ctx).Data["runtime.json"]
}

// accepting returns the document that accepts this bootstrap key, or none if it is "".
func (e *env) accepting(plaintext string, former ...string) string {
	var runtime config.Runtime
	if plaintext != "" {
		runtime.BootstrapDigest = e.ring.Digest(plaintext).String()
	}
	for _, earlier := range former {
		runtime.FormerBootstrapDigests = append(runtime.FormerBootstrapDigests, e.ring.Digest(earlier).String())
	}
	return runtime.Encode()
}
