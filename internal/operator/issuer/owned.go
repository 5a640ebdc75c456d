package issuer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// ownerIndex finds the Secrets written for an object by the bucket of its <kind>/<name>, whether it still exists or not.
const ownerIndex = "keywright.dev/owner"

// IndexSecrets makes ListOwned possible. To be called once, before the cache starts.
func IndexSecrets(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, SecretMetadata(), ownerIndex, func(secret client.Object) []string {
		owner := metav1.GetControllerOfNoCopy(secret)
		if owner == nil || owner.APIVersion != v1alpha1.SchemeGroupVersion.String() {
			return nil
		}
		return []string{keyholder.Bucket(owner.Kind + "/" + owner.Name)}
	})
}

// ListOwned lists, from the cache, the metadata of all Secrets written for an object of this kind and name: for the
// present one or for one that was deleted.
func (i *Issuer) ListOwned(ctx context.Context, kind string, object client.ObjectKey) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	bucket := client.MatchingFields{ownerIndex: keyholder.Bucket(kind + "/" + object.Name)}
	err := i.Client.List(ctx, list, client.InNamespace(object.Namespace), bucket, client.UnsafeDisableDeepCopy)
	owned := list.Items[:0]
	for n := range list.Items {
		if owner := metav1.GetControllerOfNoCopy(&list.Items[n]); owner.Kind == kind && owner.Name == object.Name {
			owned = append(owned, list.Items[n])
		}
	}
	return owned, err
}

// DeleteSecret deletes the very Secret that was looked at, and not one that took its name since.
func (i *Issuer) DeleteSecret(ctx context.Context, secret *metav1.PartialObjectMetadata) error {
	return client.IgnoreNotFound(i.Client.Delete(ctx, secret, client.Preconditions{UID: &secret.UID}))
}

// RemoveOrphans deletes the Secrets of an object that is gone. The garbage collector does the same where one runs; a
// Secret that a person annotated for adoption is let go, for the object that will adopt it.
func (i *Issuer) RemoveOrphans(ctx context.Context, kind string, object client.ObjectKey) error {
	i.pace.forget(idOf(kind, object))
	i.written.forget(idOf(kind, object))
	secrets, err := i.ListOwned(ctx, kind, object)
	if err != nil || len(secrets) == 0 {
		return err
	}
	living, err := i.livingUID(ctx, kind, object)
	if err != nil {
		return err
	}
	for n := range secrets {
		if metav1.GetControllerOfNoCopy(&secrets[n]).UID == living {
			continue
		}
		if err := i.removeOrphan(ctx, &secrets[n]); err != nil {
			return err
		}
	}
	return nil
}

func (i *Issuer) removeOrphan(ctx context.Context, secret *metav1.PartialObjectMetadata) error {
	if secret.Annotations[v1alpha1.AnnotationAdopt] != "true" {
		return i.DeleteSecret(ctx, secret)
	}
	_, err := i.letGo(ctx, secret)
	return client.IgnoreNotFound(err)
}

// livingUID is the uid of the object that has this name now, or "". It is asked of the API server itself: one cache may
// be behind another, and a Secret whose owner is not in sight yet is no orphan.
func (i *Issuer) livingUID(ctx context.Context, kind string, object client.ObjectKey) (types.UID, error) {
	owner := &metav1.PartialObjectMetadata{}
	owner.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	err := i.Live.Get(ctx, object, owner)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return owner.UID, err
}
