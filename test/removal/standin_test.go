package removal

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/test/kit"
	"keywright.dev/keywright/test/stack"
)

// standIn does the part of kube-controller-manager that a removal needs: it empties namespaces that are deleted,
// deletes Secrets whose owners are gone, and releases volume claims.
type standIn struct{ plane *stack.ControlPlane }

func newStandIn(plane *stack.ControlPlane) standIn { return standIn{plane} }

func (c standIn) run(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		// Errors are retried: kinds come and go meanwhile.
		_ = errors.Join(c.collect(ctx), c.release(ctx), c.empty(ctx))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// collect deletes Secrets whose owners are gone.
func (c standIn) collect(ctx context.Context) error {
	var secrets corev1.SecretList
	if err := c.plane.Client.List(ctx, &secrets); err != nil {
		return err
	}
	// Read after the Secrets, so that no owner of theirs is missing.
	uids := map[types.UID]bool{}
	for _, list := range []client.ObjectList{&v1alpha1.AdminUserList{}, &v1alpha1.APIKeyList{}} {
		err := c.plane.Client.List(ctx, list)
		if client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
			return err
		}
		_ = meta.EachListItem(list, func(o runtime.Object) error {
			uids[o.(client.Object).GetUID()] = true
			return nil
		})
	}
	for i := range secrets.Items {
		if o := &secrets.Items[i]; orphaned(o, uids) {
			// One that has changed meanwhile may have lost its owner on purpose.
			_ = c.plane.Client.Delete(ctx, o, client.Preconditions{ResourceVersion: &o.ResourceVersion})
		}
	}
	return nil
}

func orphaned(o client.Object, uids map[types.UID]bool) bool {
	for _, owner := range o.GetOwnerReferences() {
		if uids[owner.UID] {
			return false
		}
	}
	return len(o.GetOwnerReferences()) > 0
}

// release removes the finalizer of volume claims, which no Pod uses.
func (c standIn) release(ctx context.Context) error {
	var claims corev1.PersistentVolumeClaimList
	err := c.plane.Client.List(ctx, &claims)
	for i := range claims.Items {
		if claim := &claims.Items[i]; len(claim.Finalizers) > 0 && !claim.DeletionTimestamp.IsZero() {
			claim.Finalizers = nil
			err = errors.Join(err, c.plane.Client.Update(ctx, claim))
		}
	}
	return err
}

// empty deletes what is in namespaces that are being deleted, and lets the empty ones go.
func (c standIn) empty(ctx context.Context) error {
	ending, err := c.ending(ctx)
	if err != nil || len(ending) == 0 {
		return err
	}
	objects, err := kit.Objects(ctx, c.plane)
	if err != nil {
		return err
	}
	filled := map[string]bool{}
	for i := range objects {
		o := &objects[i]
		filled[o.GetNamespace()] = true
		if slices.Contains(ending, o.GetNamespace()) && o.GetDeletionTimestamp().IsZero() {
			_ = c.plane.Client.Delete(ctx, o)
		}
	}
	return c.finish(ctx, ending, filled)
}

// ending returns the namespaces that are being deleted.
func (c standIn) ending(ctx context.Context) (names []string, err error) {
	var list corev1.NamespaceList
	err = c.plane.Client.List(ctx, &list)
	for i := range list.Items {
		if !list.Items[i].DeletionTimestamp.IsZero() {
			names = append(names, list.Items[i].Name)
		}
	}
	return names, err
}

// finish lets empty namespaces go.
func (c standIn) finish(ctx context.Context, ending []string, filled map[string]bool) error {
	for _, name := range ending {
		if filled[name] {
			continue
		}
		namespace := &corev1.Namespace{}
		if err := c.plane.Client.Get(ctx, client.ObjectKey{Name: name}, namespace); err != nil {
			return err
		}
		namespace.Spec.Finalizers = nil
		if err := c.plane.Client.SubResource("finalize").Update(ctx, namespace); err != nil {
			return err
		}
	}
	return nil
}
