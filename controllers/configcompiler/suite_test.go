package configcompiler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/controllers/configcompiler"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestSettings(t *testing.T) {
	kit.RunSpecs(t, "Settings controller")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

const (
	bootstrap = "change-this-admin-secret"
	another   = "another-bootstrap-secret"
)

// bench is one namespace and one controller in it.
type bench struct {
	namespace string
	ring      *pepper.Keyring
	pepperErr error
	events    *kit.Events
	// asked are the AdminUsers that were to be looked at again.
	asked chan event.GenericEvent
	*configcompiler.Reconciler
}

func newBench(ctx context.Context) *bench {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	Expect(plane.Client.Create(ctx, namespace)).To(Succeed())
	b := &bench{namespace: namespace.Name, ring: ringOf("p"), events: &kit.Events{}, asked: make(chan event.GenericEvent, 10)}
	b.restart()
	return b
}

// restart makes the controller anew, as a start of the operator does.
func (b *bench) restart() {
	b.Reconciler = &configcompiler.Reconciler{
		Client: plane.Client, Live: plane.Client, Events: b.events, Peppers: b, Namespace: b.namespace,
		Formats: &configcompiler.Formats{}, Scope: keyholder.Scope{System: b.namespace, Namespaces: []string{b.namespace}},
		Requeue: map[string]chan<- event.GenericEvent{keyholder.AdminUser: b.asked},
	}
}

func ringOf(letter string) *pepper.Keyring {
	GinkgoHelper()
	ring, err := pepper.Load(map[string][]byte{"active": []byte(strings.Repeat(letter, 32))})
	Expect(err).NotTo(HaveOccurred())
	return ring
}

// Keyring makes a bench the controller's source of peppers.
func (b *bench) Keyring() (*pepper.Keyring, error) { return b.ring, b.pepperErr }

// look reconciles once and returns when the configuration is looked at again by itself.
func (b *bench) look(ctx context.Context) time.Duration {
	GinkgoHelper()
	result, err := b.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	b.checkNoPlaintext(ctx)
	return result.RequeueAfter
}

// checkNoPlaintext: no bootstrap key stands in what the server reads, nor in an event.
func (b *bench) checkNoPlaintext(ctx context.Context) {
	GinkgoHelper()
	document, err := json.Marshal(b.runtime(ctx))
	Expect(err).NotTo(HaveOccurred())
	for _, text := range append(b.events.Peek(), string(document)) {
		Expect(text).NotTo(Or(ContainSubstring(bootstrap), ContainSubstring(another)))
	}
}

// put writes a ConfigMap as a person does: all it held before is gone.
func (b *bench) put(ctx context.Context, name string, data map[string]string) {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}}
	err := plane.Client.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)
	configMap.Data = data
	if err != nil {
		Expect(plane.Client.Create(ctx, configMap)).To(Succeed())
		return
	}
	Expect(plane.Client.Update(ctx, configMap)).To(Succeed())
}

// configure writes keywright-config from pairs of a key and its value.
func (b *bench) configure(ctx context.Context, pairs ...string) {
	GinkgoHelper()
	data := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = pairs[i+1]
	}
	b.put(ctx, "keywright-config", data)
}

// create makes keywright-config with what it holds.
func (b *bench) create(ctx context.Context, configMap *corev1.ConfigMap) {
	GinkgoHelper()
	configMap.Namespace, configMap.Name = b.namespace, "keywright-config"
	Expect(plane.Client.Create(ctx, configMap)).To(Succeed())
}

// label puts a label on Secret boot.
func (b *bench) label(ctx context.Context, name, value string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "boot"}}
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, name, value)
	Expect(plane.Client.Patch(ctx, secret, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

func (b *bench) remove(ctx context.Context, object client.Object, name string) {
	GinkgoHelper()
	object.SetNamespace(b.namespace)
	object.SetName(name)
	Expect(plane.Client.Delete(ctx, object)).To(Succeed())
}

// secret writes Secret boot as a person does.
func (b *bench) secret(ctx context.Context, data map[string]string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "boot"}}
	Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, secret.DeepCopy()))).To(Succeed())
	secret.StringData = data
	Expect(plane.Client.Create(ctx, secret)).To(Succeed())
}

// runtime is the ConfigMap that the server reads, empty when there is none.
func (b *bench) runtime(ctx context.Context) *corev1.ConfigMap {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{}
	err := plane.Client.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: "keywright-runtime"}, configMap)
	Expect(client.IgnoreNotFound(err)).To(Succeed())
	return configMap
}

// document is what the server reads, accepting what it accepts as the bootstrap key.
func (b *bench) document(ctx context.Context) string {
	GinkgoHelper()
	return b.runtime(ctx).Data["runtime.json"]
}

// accepting is the document by which this bootstrap key is accepted, "" standing for none.
func (b *bench) accepting(plaintext string) string {
	if plaintext == "" {
		return `{}`
	}
	return `{"bootstrapDigest":"` + b.ring.Digest(plaintext).String() + `"}`
}
