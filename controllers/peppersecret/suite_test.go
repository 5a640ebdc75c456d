package peppersecret_test

import (
	"context"
	"errors"
	"strconv"
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

func TestPepperController(t *testing.T) {
	kit.RunSpecs(t, "Pepper controller")
}

var plane *stack.ControlPlane

var _ = BeforeSuite(func(ctx SpecContext) {
	plane = kit.ControlPlane(ctx)
}, kit.StartTimeout)

// env is a namespace with one controller.
type env struct {
	namespace string
	requests  chan event.GenericEvent
	*peppersecret.Reconciler
}

func newEnv(ctx context.Context) *env {
	GinkgoHelper()
	return envIn(kit.Namespace(ctx, plane, "test-"))
}

// envIn returns an env with another controller in a namespace, as after a restart.
func envIn(namespace string) *env {
	requests := make(chan event.GenericEvent, 100)
	return &env{namespace: namespace, requests: requests, Reconciler: &peppersecret.Reconciler{
		Live: plane.Client, Client: plane.Client, Namespace: namespace, Source: &peppersecret.Source{},
		Scope:   keyholder.Scope{System: namespace, Namespaces: []string{namespace}},
		Requeue: map[string]chan<- event.GenericEvent{keyholder.AdminUser: requests, keyholder.APIKey: requests},
	}}
}

// reconcile reconciles once and returns when the pepper is checked again.
func (e *env) reconcile(ctx context.Context) time.Duration {
	GinkgoHelper()
	result, err := e.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

// ring returns the keyring that the issuer gets.
func (e *env) ring() *pepper.Keyring {
	GinkgoHelper()
	ring, err := e.Source.Keyring()
	Expect(err).NotTo(HaveOccurred())
	return ring
}

// keyringError returns the error that the issuer gets instead of a keyring.
func (e *env) keyringError() error {
	GinkgoHelper()
	ring, err := e.Source.Keyring()
	Expect(ring).To(BeNil())
	return err
}

// requeued returns the names of the objects requeued since the last call.
func (e *env) requeued() []string {
	var names []string
	for {
		select {
		case request := <-e.requests:
			names = append(names, request.Object.GetName())
		default:
			return names
		}
	}
}

// put writes the pepper Secret by hand.
func (e *env) put(ctx context.Context, letters string, annotations ...string) {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: e.namespace, Name: "keywright-pepper", Annotations: map[string]string{},
		},
		Data: map[string][]byte{},
	}
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

func (e *env) remove(ctx context.Context) {
	GinkgoHelper()
	Expect(plane.Client.Delete(ctx, e.secret(ctx))).To(Succeed())
}

func (e *env) secret(ctx context.Context) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	name := client.ObjectKey{Namespace: e.namespace, Name: "keywright-pepper"}
	Expect(plane.Client.Get(ctx, name, secret)).To(Succeed())
	return secret
}

func (e *env) secrets(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	var list corev1.SecretList
	Expect(plane.Client.List(ctx, &list, client.InNamespace(e.namespace))).To(Succeed())
	return list.Items
}

// user creates an AdminUser that records these digests.
func (e *env) user(ctx context.Context, name string, digests ...string) *v1alpha1.AdminUser {
	GinkgoHelper()
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: e.namespace, Name: name}}
	Expect(plane.Client.Create(ctx, user)).To(Succeed())
	for i, digest := range digests {
		user.Status.Keys = append(user.Status.Keys, v1alpha1.KeyStatus{
			ID: strconv.Itoa(i), Digest: digest, IssuedAt: metav1.Now(), State: v1alpha1.KeyOverlapping,
		})
	}
	Expect(plane.Client.Status().Update(ctx, user)).To(Succeed())
	return user
}

// digest returns a digest made with the pepper of this letter.
func digest(letter string) string {
	GinkgoHelper()
	return kit.Keyring(letter).Digest("some-key").String()
}

var errAway = errors.New("the API server is away")

// unreadable returns a client that fails every Get while the switch is on.
func unreadable(on *bool) client.WithWatch {
	return interceptor.NewClient(plane.Client, interceptor.Funcs{
		Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
		) error {
			if *on {
				return errAway
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
}

// unlisted returns a client that fails every List while the switch is on.
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
