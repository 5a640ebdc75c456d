package lastadmin

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// The anchor protects against the deletion of all admins in the same instant, before any of them has the
// condition. Only one admin carries the finalizer, because an object with a finalizer cannot be deleted while
// the operator is down.

// shouldKeep reports whether only the deletion prevents this admin's key from being accepted.
func shouldKeep(u *v1alpha1.AdminUser) bool {
	return convert.StaysIfLast(u) && lifecycle.Current(convert.Keys(u.Status.Keys)) != nil
}

// keepDeleted chooses the deleted admin to keep while no other is active, and marks it. It returns nil if there
// is none to keep.
func (r *Reconciler) keepDeleted(
	ctx context.Context, anchors []v1alpha1.AdminUser,
) (*v1alpha1.AdminUser, error) {
	kept := oldest(anchors, shouldKeep)
	if kept == nil {
		return nil, nil
	}
	deleting, err := r.namespaceIsDeleted(ctx)
	if err != nil || deleting {
		return nil, err
	}
	before := conditionOf(kept)
	if err := r.mark(ctx, kept, keptLast); err != nil {
		return nil, err
	}
	if before.Reason != v1alpha1.ReasonKeptLastAdmin {
		r.Events.Eventf(kept, nil, corev1.EventTypeWarning, v1alpha1.ReasonKeptLastAdmin, "Keep", "%s", keptLast.Message)
	}
	return kept, nil
}

func (r *Reconciler) namespaceIsDeleted(ctx context.Context) (bool, error) {
	var namespace corev1.Namespace
	err := r.Live.Get(ctx, client.ObjectKey{Name: r.Namespace}, &namespace)
	return !namespace.DeletionTimestamp.IsZero(), err
}

// anchor puts the finalizer on an active admin, or else on the one that is kept, and then removes it from all
// others.
func (r *Reconciler) anchor(
	ctx context.Context, active, anchors []v1alpha1.AdminUser, kept *v1alpha1.AdminUser,
) error {
	chosen := chooseAnchor(active, kept)
	if chosen != nil {
		if err := r.setFinalizer(ctx, chosen, true); err != nil {
			return err
		}
		r.age.observe(chosen.UID, r.Clock.Now())
	}
	others := releasable(anchors, chosen)
	if len(others) == 0 {
		return nil
	}
	if err := r.confirm(ctx, chosen); err != nil {
		return err
	}
	for _, u := range others {
		if err := r.setFinalizer(ctx, u, false); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// releasable returns the anchors that may lose the finalizer: all but the chosen one, or only deleted ones if
// none is chosen.
func releasable(anchors []v1alpha1.AdminUser, chosen *v1alpha1.AdminUser) []*v1alpha1.AdminUser {
	var others []*v1alpha1.AdminUser
	for i := range anchors {
		u := &anchors[i]
		if chosen == nil && !u.DeletionTimestamp.IsZero() || chosen != nil && u.UID != chosen.UID {
			others = append(others, u)
		}
	}
	return others
}

// confirm fails unless the API server has the chosen anchor with its finalizer. A stale cache may still show a
// finalizer that this controller has removed, and no other admin may be released on its evidence.
func (r *Reconciler) confirm(ctx context.Context, chosen *v1alpha1.AdminUser) error {
	if chosen == nil {
		return nil
	}
	if r.age.untilSettled(r.Clock.Now()) > 0 {
		return errAnchorTooNew
	}
	var live v1alpha1.AdminUser
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(chosen), &live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if live.UID != chosen.UID || !convert.IsAnchor(&live) {
		resource := v1alpha1.SchemeGroupVersion.WithResource("adminusers").GroupResource()
		return apierrors.NewConflict(resource, chosen.Name, errStaleCache)
	}
	return nil
}

var errStaleCache = errors.New("the cache does not show the last write yet")

// settleTime is how long an anchor must have the finalizer before other admins are released. A deletion that
// the API server began before the finalizer was added still completes: when the object has changed meanwhile,
// the API server checks its uid again, but not its finalizers. Such a deletion takes milliseconds.
const settleTime = time.Second

// errAnchorTooNew means that the anchor has not had the finalizer for settleTime.
var errAnchorTooNew = errors.New("the anchor is too new")

// anchorAge records since when this process has seen an object as the anchor.
type anchorAge struct {
	uid   types.UID
	since time.Time
}

func (a *anchorAge) observe(uid types.UID, now time.Time) {
	if a.uid != uid {
		a.uid, a.since = uid, now
	}
}

// untilSettled returns how much of settleTime is left.
func (a *anchorAge) untilSettled(now time.Time) time.Duration {
	return a.since.Add(settleTime).Sub(now)
}

// chooseAnchor returns the active admin that has the finalizer already, or the oldest active one, or the one
// that is kept, or nil.
func chooseAnchor(active []v1alpha1.AdminUser, kept *v1alpha1.AdminUser) *v1alpha1.AdminUser {
	if present := oldest(active, convert.IsAnchor); present != nil {
		return present
	}
	if first := oldest(active, isActive); first != nil {
		return first
	}
	return kept
}

// setFinalizer adds or removes the finalizer on this version of the object, or fails with a conflict.
func (r *Reconciler) setFinalizer(ctx context.Context, user *v1alpha1.AdminUser, on bool) error {
	changed := user.DeepCopy()
	if on == convert.IsAnchor(user) {
		return nil
	}
	if on {
		controllerutil.AddFinalizer(changed, v1alpha1.FinalizerLastAdmin)
	} else {
		controllerutil.RemoveFinalizer(changed, v1alpha1.FinalizerLastAdmin)
	}
	patch := client.MergeFromWithOptions(user, client.MergeFromWithOptimisticLock{})
	return r.Client.Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldManager))
}

// oldest returns the oldest user for which is returns true, or nil.
func oldest(users []v1alpha1.AdminUser, is func(*v1alpha1.AdminUser) bool) *v1alpha1.AdminUser {
	var found *v1alpha1.AdminUser
	for i := range users {
		if u := &users[i]; is(u) && (found == nil || keyholder.Older(u, found)) {
			found = u
		}
	}
	return found
}
