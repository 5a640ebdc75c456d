package issuer

import (
	"context"
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// ownerIndex finds the Secrets written for an object by the bucket of its <kind>/<name>, whether or not it
// still exists.
const ownerIndex = "keywright.dev/owner"

// IndexSecrets adds the index that ListOwned needs. Call it once, before the cache starts.
func IndexSecrets(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, SecretMetadata(), ownerIndex, func(secret client.Object) []string {
		owner := metav1.GetControllerOfNoCopy(secret)
		if owner == nil || !isOurs(owner) {
			return nil
		}
		return []string{keyholder.Bucket(owner.Kind + "/" + owner.Name)}
	})
}

// isOurs reports whether an owner is an object of Keywright, at any version: a Secret names the version at which it was
// written, and an operator meets those of an older and of a newer release.
func isOurs(owner *metav1.OwnerReference) bool {
	group, _, _ := strings.Cut(owner.APIVersion, "/")
	return group == v1alpha1.SchemeGroupVersion.Group
}

// ListOwned lists, from the cache, the metadata of all Secrets written for an object of this kind and name,
// whether the present one or one that was deleted.
func (i *Issuer) ListOwned(
	ctx context.Context, kind string, object client.ObjectKey,
) ([]metav1.PartialObjectMetadata, error) {
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

// liveUID returns the uid of the object that has this name now, or "". It asks the API server because caches lag: a
// Secret whose owner is not cached yet is not an orphan.
func (i *Issuer) liveUID(ctx context.Context, kind string, object client.ObjectKey) (types.UID, error) {
	owner := &metav1.PartialObjectMetadata{}
	owner.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	err := i.Live.Get(ctx, object, owner)
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	return owner.UID, err
}

// setOwner makes ours the only one of Keywright's owner references on this version of a Secret.
func (i *Issuer) setOwner(
	ctx context.Context, secret *metav1.PartialObjectMetadata, ours metav1.OwnerReference,
) (*metav1.PartialObjectMetadata, error) {
	return i.patchMetadata(ctx, secret, map[string]any{
		"ownerReferences": append([]metav1.OwnerReference{ours}, ownersOfOthers(secret)...),
	})
}

// releaseSecret removes Keywright's owner references from this version of a Secret, so that the garbage collector
// leaves it alone, and the labels that mark it as Keywright's.
func (i *Issuer) releaseSecret(
	ctx context.Context, secret *metav1.PartialObjectMetadata,
) (*metav1.PartialObjectMetadata, error) {
	labels := map[string]any{v1alpha1.LabelIssuedFor: nil}
	if secret.Labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedByKeywright {
		labels[v1alpha1.LabelManagedBy] = nil
	}
	return i.patchMetadata(ctx, secret, map[string]any{
		"ownerReferences": ownersOfOthers(secret), "labels": labels,
	})
}

// ownersOfOthers returns the owner references that are not Keywright's.
func ownersOfOthers(secret *metav1.PartialObjectMetadata) []metav1.OwnerReference {
	owners := make([]metav1.OwnerReference, 0, len(secret.OwnerReferences))
	for _, owner := range secret.OwnerReferences {
		if !isOurs(&owner) {
			owners = append(owners, owner)
		}
	}
	return owners
}

// patchMetadata applies a merge patch to the metadata of this version of a Secret.
func (i *Issuer) patchMetadata(
	ctx context.Context, secret *metav1.PartialObjectMetadata, metadata map[string]any,
) (*metav1.PartialObjectMetadata, error) {
	metadata["resourceVersion"] = secret.ResourceVersion
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return nil, err
	}
	return i.patchSecret(ctx, secret, patch)
}

// patchSecret applies a merge patch to a Secret and returns its new metadata.
func (i *Issuer) patchSecret(
	ctx context.Context, secret *metav1.PartialObjectMetadata, patch []byte,
) (*metav1.PartialObjectMetadata, error) {
	patched := SecretMetadata()
	patched.Namespace, patched.Name = secret.Namespace, secret.Name
	merge := client.RawPatch(types.MergePatchType, patch)
	return patched, i.Client.Patch(ctx, patched, merge, client.FieldOwner(v1alpha1.FieldManager))
}

func (t *Target) guarded() bool {
	return controllerutil.ContainsFinalizer(t.Object, v1alpha1.FinalizerKeepSecret)
}

// setGuard adds or removes the finalizer. Apart from status, the finalizer is all that the operator writes to
// an object.
func (r *run) setGuard(ctx context.Context, on bool) error {
	object := r.target.Object
	before := object.DeepCopyObject().(client.Object)
	if on {
		controllerutil.AddFinalizer(object, v1alpha1.FinalizerKeepSecret)
	} else {
		controllerutil.RemoveFinalizer(object, v1alpha1.FinalizerKeepSecret)
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.issuer.Client.Patch(ctx, object, patch, client.FieldOwner(v1alpha1.FieldManager))
	r.written.object = object.GetResourceVersion()
	return client.IgnoreNotFound(err)
}

// release gives up the Secret, which is to outlive the object.
func (r *run) release(ctx context.Context) error {
	secret, err := r.issuer.releaseSecret(ctx, r.secret)
	if err == nil {
		r.setSecret(secret, true)
	}
	return err
}

// replaceOwner makes the object the owner of a Secret that names a deleted object of the same name. An apply
// cannot do it: the owner reference belongs to the client that restored the Secret, and a second controller
// reference is refused. After a crash here the Secret has the right owner and is read again.
func (r *run) replaceOwner(ctx context.Context) error {
	if r.secret == nil || r.observed.Owner != lifecycle.Leftover {
		return nil
	}
	t := r.target
	secret, err := r.issuer.setOwner(ctx, r.secret, metav1.OwnerReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: t.kind(),
		Name: t.Object.GetName(), UID: t.Object.GetUID(), Controller: new(true),
	})
	if err == nil {
		r.secret, r.written.secret = secret, secret.ResourceVersion
	}
	return err
}
