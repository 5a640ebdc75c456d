package lifecyclesuite

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/operator/issuer"
	"keywright.dev/keywright/test/kit"
)

// SecretOf returns the default name of an object's Secret.
func (e *Env[T]) SecretOf(name string) string { return name + e.SecretSuffix }

// Secret reads a Secret from the API server.
func (e *Env[T]) Secret(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(e.Plane.Client.Get(ctx, e.Key(name), secret)).To(Succeed())
	return secret
}

// Secrets lists the Secrets of the namespace.
func (e *Env[T]) Secrets(ctx context.Context) []corev1.Secret {
	GinkgoHelper()
	var secrets corev1.SecretList
	Expect(e.Plane.Client.List(ctx, &secrets, client.InNamespace(e.Namespace))).To(Succeed())
	return secrets.Items
}

// NoSecret expects that a Secret does not exist.
func (e *Env[T]) NoSecret(ctx context.Context, name string) {
	GinkgoHelper()
	err := e.Plane.Client.Get(ctx, e.Key(name), &corev1.Secret{})
	Expect(apierrors.IsNotFound(err)).To(BeTrue(), "Secret %s exists", name)
}

// Plaintext returns the key in a Secret.
func (e *Env[T]) Plaintext(ctx context.Context, secret string) string {
	GinkgoHelper()
	return string(e.Secret(ctx, secret).Data[v1alpha1.SecretKey])
}

// EditSecret edits a Secret as a person does, and waits until the cache shows it.
func (e *Env[T]) EditSecret(ctx context.Context, name string, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret := e.Secret(ctx, name)
	edit(secret)
	Expect(e.Plane.Client.Update(ctx, secret, client.FieldOwner("a-person"))).To(Succeed())
	e.awaitSecret(ctx, name, secret.ResourceVersion)
}

// EditForeignSecret edits a Secret that the operator's cache need not show.
func (e *Env[T]) EditForeignSecret(ctx context.Context, name string, edit func(*corev1.Secret)) {
	GinkgoHelper()
	secret := e.Secret(ctx, name)
	edit(secret)
	Expect(e.Plane.Client.Update(ctx, secret)).To(Succeed())
}

// DeleteSecret deletes a Secret as a person does, and waits until the cache shows it.
func (e *Env[T]) DeleteSecret(ctx context.Context, name string) {
	GinkgoHelper()
	Expect(e.Plane.Client.Delete(ctx, e.Secret(ctx, name))).To(Succeed())
	e.awaitSecret(ctx, name, "")
}

// awaitSecret waits until the cache has this version of a Secret's metadata. Version "" means that it has none.
func (e *Env[T]) awaitSecret(ctx context.Context, name, version string) {
	GinkgoHelper()
	Eventually(ctx, func() string {
		secret := issuer.SecretMetadata()
		if err := e.Cached.Get(ctx, e.Key(name), secret); err != nil {
			return ""
		}
		return secret.ResourceVersion
	}).Should(Equal(version))
}

// Brought returns a key that a person brings. Each namespace has its own, for two objects cannot have the same.
func (e *Env[T]) Brought() string { return "correct-horse-battery-staple-" + e.Namespace }

// HandOver creates a Secret by hand, annotated for adoption.
func (e *Env[T]) HandOver(ctx context.Context, name, plaintext string) {
	GinkgoHelper()
	Expect(e.Plane.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: e.Namespace, Name: name, Annotations: map[string]string{v1alpha1.AnnotationAdopt: "true"},
		},
		Data: map[string][]byte{"key": []byte(plaintext), "theirs": []byte("stays")},
	})).To(Succeed())
}

// Annotate annotates a Secret of Keywright's for adoption.
func (e *Env[T]) Annotate(ctx context.Context, name string) {
	GinkgoHelper()
	e.EditSecret(ctx, name, func(s *corev1.Secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "true" })
}

// Foreign creates a Secret that does not belong to Keywright.
func (e *Env[T]) Foreign(ctx context.Context, name string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.Namespace, Name: name},
		Data:       map[string][]byte{"key": []byte(e.Brought())},
	}
	Expect(e.Plane.Client.Create(ctx, secret)).To(Succeed())
	return secret
}

// checkInvariants checks what holds for every key object at rest.
func (e *Env[T]) checkInvariants(ctx context.Context, name string) {
	GinkgoHelper()
	o := e.New("", "")
	if err := e.Plane.Client.Get(ctx, e.Key(name), o); err != nil {
		Expect(client.IgnoreNotFound(err)).To(Succeed())
		return
	}
	if waits(o) {
		checkWaiting(o)
	} else {
		Expect(kit.CheckAtRest(o)).To(Succeed())
	}
	for _, recorded := range o.HolderStatus().Keys {
		Expect(recorded.State).NotTo(Equal(v1alpha1.KeyPending), "a key is pending at rest")
	}
	e.checkNoPlaintext(ctx, o)
}

// checkNoPlaintext checks that no key that is or was in a Secret stands in the object or in an event.
func (e *Env[T]) checkNoPlaintext(ctx context.Context, o T) {
	GinkgoHelper()
	for _, s := range e.Secrets(ctx) {
		for entry, value := range s.Data {
			if len(value) >= 16 && entry != e.IdentityEntry {
				e.seen[string(value)] = true
			}
		}
	}
	object, err := json.Marshal(o)
	Expect(err).NotTo(HaveOccurred())
	public := string(object) + strings.Join(e.Events.Peek(), "\n")
	for plaintext := range e.seen {
		Expect(strings.Contains(public, plaintext)).To(BeFalse(), "plaintext in the object or in an event")
		encoded := base64.StdEncoding.EncodeToString([]byte(plaintext))
		Expect(strings.Contains(public, encoded)).To(BeFalse(), "plaintext in base64 in the object or in an event")
	}
}
