package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// Everything that deletes a Secret is in this file. A Secret is deleted only if Keywright wrote it, under the name that
// the spec or the status has, and an event reports it. A copy that a person made may have the same owner and labels.

// wroteAny reports whether Keywright wrote a Secret or a part of it. A copy has the fields of another manager.
func wroteAny(secret *metav1.PartialObjectMetadata) bool {
	return !cachetrim.Owned(secret.ManagedFields).Empty()
}

// errReplaced means that another object has taken the name of the object that a decision was made for.
var errReplaced = errors.New("another object has its name now")

// removeSecret deletes the Secret, but only for the live object: a stale cache may show a deleted object whose
// successor owns this Secret.
func (r *run) removeSecret(ctx context.Context) error {
	kind, object := r.target.kind(), r.target.Object
	liveUID, err := r.issuer.liveUID(ctx, kind, r.target.key())
	if err != nil {
		return err
	}
	if liveUID != object.GetUID() {
		resource := v1alpha1.SchemeGroupVersion.WithResource(kind).GroupResource()
		return apierrors.NewConflict(resource, object.GetName(), errReplaced)
	}
	if err := r.remove(ctx, r.secret, r.whyRemoved()); err != nil {
		return err
	}
	r.setSecret(nil, true)
	return nil
}

// whyRemoved is why the Secret that the spec names is deleted.
func (r *run) whyRemoved() string {
	switch {
	case r.target.Spec.Revoked || r.target.Spec.Deleted:
		return r.target.Refused.Message
	case r.observed.Owner == lifecycle.Leftover:
		return fmt.Sprintf("It was written for a deleted %s of this name.", r.target.kind())
	}
	return "A Secret of another type replaces it."
}

// strays are the names of Secrets that are recorded as written for the object, and that its spec does not name.
func (r *run) strays() []string {
	status := r.target.status()
	names := append(slices.Clone(status.OtherSecrets), status.SecretName)
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "" || name == r.target.Spec.SecretName || slices.Contains(r.removed, name)
	})
}

// removeStrays deletes the strays that still are what Keywright wrote for the object.
func (r *run) removeStrays(ctx context.Context) error {
	for _, name := range r.strays() {
		secret, err := r.issuer.liveMetadata(ctx, client.ObjectKey{Namespace: r.target.Object.GetNamespace(), Name: name})
		if err != nil {
			return err
		}
		if secret != nil && r.target.ownerOf(secret) == lifecycle.Own && wroteAny(secret) {
			why := fmt.Sprintf("The spec names Secret %s.", r.target.Spec.SecretName)
			if err := r.remove(ctx, secret, why); err != nil {
				return err
			}
		}
		r.removed = append(r.removed, name)
	}
	return nil
}

// remove deletes a Secret and reports it.
func (r *run) remove(ctx context.Context, secret *metav1.PartialObjectMetadata, why string) error {
	removed, err := r.issuer.deleteSecret(ctx, secret)
	if removed {
		r.emit(secretRemoved(secret.Name, why))
	}
	return err
}

func secretRemoved(name, why string) event {
	return event{corev1.EventTypeNormal, v1alpha1.EventSecretRemoved, "Remove",
		fmt.Sprintf("Deleted Secret %s: %s", name, why)}
}

// deleteSecret deletes this version of a Secret: another operator may have written a key into it since, and another
// Secret may have taken its name. It reports whether the Secret was still there.
func (i *Issuer) deleteSecret(ctx context.Context, secret *metav1.PartialObjectMetadata) (removed bool, err error) {
	exactly := client.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion}
	err = i.Client.Delete(ctx, secret, exactly)
	return err == nil, client.IgnoreNotFound(err)
}

// RemoveOrphans deletes the Secrets of a deleted object, as the garbage collector does where one runs. A Secret
// that is annotated for adoption is released for the object that will adopt it.
func (i *Issuer) RemoveOrphans(ctx context.Context, kind string, object client.ObjectKey) error {
	i.backoff.reset(idOf(kind, object))
	i.expectations.reset(idOf(kind, object))
	secrets, err := i.ListOwned(ctx, kind, object)
	if err != nil || len(secrets) == 0 {
		return err
	}
	liveUID, err := i.liveUID(ctx, kind, object)
	if err != nil {
		return err
	}
	for n := range secrets {
		owner := metav1.GetControllerOfNoCopy(&secrets[n])
		if owner.UID == liveUID {
			continue
		}
		if err := i.removeOrphan(ctx, &secrets[n], owner); err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) removeOrphan(
	ctx context.Context, secret *metav1.PartialObjectMetadata, owner *metav1.OwnerReference,
) (err error) {
	switch {
	case secret.Annotations[v1alpha1.AnnotationAdopt] == "true":
		_, err = i.releaseSecret(ctx, secret)
	case wroteAny(secret):
		err = i.deleteOrphan(ctx, secret, owner)
	}
	if apierrors.IsConflict(err) {
		// The event of the newer version triggers the next attempt.
		return nil
	}
	return client.IgnoreNotFound(err)
}

func (i *Issuer) deleteOrphan(
	ctx context.Context, secret *metav1.PartialObjectMetadata, owner *metav1.OwnerReference,
) error {
	removed, err := i.deleteSecret(ctx, secret)
	if removed {
		e := secretRemoved(secret.Name, fmt.Sprintf("%s %s was deleted.", owner.Kind, owner.Name))
		regarding := SecretMetadata()
		regarding.ObjectMeta = secret.ObjectMeta
		i.Events.Eventf(regarding, nil, e.kind, e.reason, e.action, "%s", e.note)
	}
	return err
}
