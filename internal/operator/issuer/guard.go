package issuer

import (
	"context"
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

func (h *Holder) guarded() bool {
	return controllerutil.ContainsFinalizer(h.Object, v1alpha1.FinalizerKeepSecret)
}

// setGuard adds or removes the finalizer. That and nothing else is what the operator writes to an object beside its
// status.
func (r *run) setGuard(ctx context.Context, on bool) error {
	before := r.holder.Object.DeepCopyObject().(client.Object)
	if on {
		controllerutil.AddFinalizer(r.holder.Object, v1alpha1.FinalizerKeepSecret)
	} else {
		controllerutil.RemoveFinalizer(r.holder.Object, v1alpha1.FinalizerKeepSecret)
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.Client.Patch(ctx, r.holder.Object, patch, client.FieldOwner(v1alpha1.FieldManager))
	r.wrote.object = r.holder.Object.GetResourceVersion()
	return client.IgnoreNotFound(err)
}

// release takes the object's ownership off the Secret, which a garbage collector then leaves alone.
func (r *run) release(ctx context.Context) error {
	secret, err := r.letGo(ctx, r.secret)
	if err == nil {
		r.see(secret, true)
	}
	return err
}

// succeedOwner puts the object in the place of a former one of its name, as owner of the Secret. An apply can't: whoever
// restored the Secret holds on to the owner it named, and two controllers are refused. A crash after it does no harm,
// for then the Secret is the object's own, and is read again.
func (r *run) succeedOwner(ctx context.Context) error {
	if r.secret == nil || r.observed.Owner != lifecycle.Leftover {
		return nil
	}
	h := r.holder
	secret, err := r.setOwner(ctx, r.secret, metav1.OwnerReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: h.kind(), Name: h.Object.GetName(), UID: h.Object.GetUID(), Controller: new(true),
	})
	if err == nil {
		r.secret, r.wrote.secret = secret, secret.ResourceVersion
	}
	return err
}

// letGo takes Keywright's owner references off a Secret in the version that was looked at.
func (i *Issuer) letGo(ctx context.Context, secret *metav1.PartialObjectMetadata) (*metav1.PartialObjectMetadata, error) {
	return i.setOwner(ctx, secret)
}

// setOwner replaces Keywright's owner references by those given, in the version that was looked at.
func (i *Issuer) setOwner(ctx context.Context, secret *metav1.PartialObjectMetadata, ours ...metav1.OwnerReference) (*metav1.PartialObjectMetadata, error) {
	owners := append(make([]metav1.OwnerReference, 0, len(secret.OwnerReferences)), ours...)
	for _, owner := range secret.OwnerReferences {
		if owner.APIVersion != v1alpha1.SchemeGroupVersion.String() {
			owners = append(owners, owner)
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": secret.ResourceVersion, "ownerReferences": owners,
	}})
	if err != nil {
		return nil, err
	}
	free := SecretMetadata()
	free.Namespace, free.Name = secret.Namespace, secret.Name
	err = i.Client.Patch(ctx, free, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldManager))
	return free, err
}
