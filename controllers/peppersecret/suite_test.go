package peppersecret_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/controllers/peppersecret"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

func TestPeppers(t *testing.T) {
	kit.RunSpecs(t, "Pepper controller")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

// bench is one namespace and one controller in it.
type bench struct {
	namespace string
	asked     chan event.GenericEvent
	*peppersecret.Reconciler
}

func newBench(ctx context.Context) *bench {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	Expect(plane.Client.Create(ctx, namespace)).To(Succeed())
	return benchIn(namespace.Name)
}

// benchIn is another controller in a namespace, as after a restart.
func benchIn(namespace string) *bench {
	asked := make(chan event.GenericEvent, 100)
	return &bench{namespace: namespace, asked: asked, Reconciler: &peppersecret.Reconciler{
		Live: plane.Client, Client: plane.Client, Namespace: namespace, Source: &peppersecret.Source{},
		Scope:   keyholder.Scope{System: namespace, Namespaces: []string{namespace}},
		Requeue: map[string]chan<- event.GenericEvent{keyholder.AdminUser: asked, keyholder.APIKey: asked},
	}}
}

// look reconciles once and returns when the pepper is looked at again by itself.
func (b *bench) look(ctx context.Context) time.Duration {
	GinkgoHelper()
	result, err := b.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

// ring is what issuers get.
func (b *bench) ring() *pepper.Keyring {
	GinkgoHelper()
	ring, err := b.Source.Keyring()
	Expect(err).NotTo(HaveOccurred())
	return ring
}

// problem is why issuers get none.
func (b *bench) problem() error {
	GinkgoHelper()
	ring, err := b.Source.Keyring()
	Expect(ring).To(BeNil())
	return err
}

// told is the names of the objects asked for since the last time.
func (b *bench) told() []string {
	var names []string
	for {
		select {
		case e := <-b.asked:
			names = append(names, e.Object.GetName())
		default:
			return names
		}
	}
}

// put writes the pepper Secret by hand.
func (b *bench) put(ctx context.Context, letters string, annotations ...string) {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "keywright-pepper", Annotations: map[string]string{}}, Data: map[string][]byte{}}
	for _, name := range annotations {
		secret.Annotations[name] = "true"
	}
	for i, letter := range letters {
		name := "active"
		if i > 0 {
			name = "old-" + string(letter)
		}
		secret.Data[name] = []byte(strings.Repeat(string(letter), 32))
	}
	Expect(client.IgnoreNotFound(plane.Client.Delete(ctx, secret.DeepCopy()))).To(Succeed())
	Expect(plane.Client.Create(ctx, secret)).To(Succeed())
}

func (b *bench) remove(ctx context.Context) {
	GinkgoHelper()
	Expect(plane.Client.Delete(ctx, b.secret(ctx))).To(Succeed())
}

func (b *bench) secret(ctx context.Context) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(plane.Client.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: "keywright-pepper"}, secret)).To(Succeed())
	return secret
}

func (b *bench) secrets(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	var list corev1.SecretList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(b.namespace))).To(Succeed())
	return list.Items
}

// user is an AdminUser that records these digests.
func (b *bench) user(ctx context.Context, name string, digests ...string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}}
	Expect(plane.Client.Create(ctx, user)).To(Succeed())
	for _, digest := range digests {
		user.Status.Keys = append(user.Status.Keys, v1alpha1.KeyStatus{ID: "x", Digest: digest, IssuedAt: metav1.Now()})
	}
	Expect(plane.Client.Status().Update(ctx, user)).To(Succeed())
	return user
}

// digest is one that was made with the pepper of this letter.
func digest(letter string) string {
	GinkgoHelper()
	ring, err := pepper.Load(map[string][]byte{"active": []byte(strings.Repeat(letter, 32))})
	Expect(err).NotTo(HaveOccurred())
	return ring.Digest("some-key").String()
}

var errAway = errors.New("the API server is away")

// unreadable is a client by which nothing can be got while the switch is on.
func unreadable(on *bool) client.WithWatch {
	return interceptor.NewClient(plane.Client, interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if *on {
				return errAway
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
}

// unlisted is a client by which nothing can be listed while the switch is on.
func unlisted(on *bool) client.WithWatch {
	return interceptor.NewClient(plane.Client, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if *on {
				return errAway
			}
			return c.List(ctx, list, opts...)
		},
	})
}
