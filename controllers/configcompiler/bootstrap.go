package configcompiler

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// errNoPepper means that the pepper cannot be used. The pepper's controller reports why.
var errNoPepper = errors.New("the bootstrap key cannot be digested")

// bootstrapDigest digests the bootstrap key, or returns "" if none is configured. from is the Secret that was
// read for it, if any.
func (r *Reconciler) bootstrapDigest(
	ctx context.Context, parsed *config.Settings,
) (digest string, from runtime.Object, err error) {
	plaintext := parsed.AdminKey
	if parsed.AdminKeySecret != nil {
		plaintext, from, err = r.adminKey(ctx, parsed)
	}
	if plaintext == "" || err != nil {
		return "", from, err
	}
	ring, err := r.Peppers.Keyring()
	if err != nil {
		return "", from, fmt.Errorf("%w: %w", errNoPepper, err)
	}
	return ring.Digest(plaintext).String(), from, nil
}

// adminKey reads the key that ADMIN_KEY_SECRET points to. Its problems are faults of that setting.
func (r *Reconciler) adminKey(
	ctx context.Context, parsed *config.Settings,
) (plaintext string, from runtime.Object, err error) {
	ref := parsed.AdminKeySecret
	if ref.Name == v1alpha1.PepperSecret {
		return "", nil, unusable("Secret %s holds the pepper: create a separate Secret for the bootstrap key", ref.Name)
	}
	var secret corev1.Secret
	err = r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: ref.Name}, &secret)
	if apierrors.IsNotFound(err) {
		return "", nil, unusable("Secret %s does not exist", ref.Name)
	}
	if err != nil {
		return "", nil, err
	}
	plaintext, err = keyIn(&secret, parsed)
	return plaintext, withoutData(&secret), err
}

func keyIn(secret *corev1.Secret, parsed *config.Settings) (string, error) {
	ref := parsed.AdminKeySecret
	// The key of a user would also be the bootstrap key, and would still be accepted after the user is deleted.
	if kind, issued := secret.Labels[v1alpha1.LabelIssuedFor]; issued {
		return "", unusable("Secret %s holds the key of an %s (label %s), and the bootstrap key would outlive that object: "+
			"create a separate Secret", ref.Name, kind, v1alpha1.LabelIssuedFor)
	}
	value, ok := secret.Data[ref.Key]
	if !ok {
		return "", unusable("Secret %s has no key %q", ref.Name, ref.Key)
	}
	plaintext := strings.TrimSpace(string(value))
	if problem := parsed.CheckAdminKey(plaintext); problem != "" {
		return "", unusable("the key in %s %s", ref, problem)
	}
	return plaintext, nil
}

func unusable(format string, args ...any) config.Fault {
	return config.Fault{Key: config.KeyAdminKeySecret, Problem: fmt.Sprintf(format, args...)}
}

// withoutData returns a reference to the Secret for an event.
func withoutData(secret *corev1.Secret) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: secret.Namespace, Name: secret.Name, UID: secret.UID, ResourceVersion: secret.ResourceVersion,
	}}
}
