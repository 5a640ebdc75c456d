package lastadmin

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// The anchor is the one active admin that carries the finalizer. Whoever deletes all admins in the same
// instant, before a mark is anywhere, can't delete that one. It is one object and not all of them, for an
// object with a finalizer needs the operator to go.

// lookForNamespace is how often it is asked whether the namespace is going, while somebody is kept.
const lookForNamespace = 5 * time.Second

// Recorder writes events about an object.
type Recorder interface {
	Eventf(regarding, related runtime.Object, eventtype, reason, action, note string, args ...any)
}

func isAnchored(u *v1alpha1.AdminUser) bool {
	return controllerutil.ContainsFinalizer(u, v1alpha1.FinalizerLastAdmin)
}

// mayGo: a person said that there need be no admin.
func mayGo(u *v1alpha1.AdminUser) bool {
	return u.Annotations[v1alpha1.AnnotationAllowLastAdminRemoval] == "true"
}

// worthKeeping: the key of this deleted admin would be accepted if it were not for the deletion.
func worthKeeping(u *v1alpha1.AdminUser) bool {
	hasKey := slices.ContainsFunc(u.Status.Keys, func(k v1alpha1.KeyStatus) bool { return !k.Pending })
	return !u.DeletionTimestamp.IsZero() && u.IsAdmin() && u.IsEnabled() && hasKey && !mayGo(u)
}

// keep marks the deleted admin that stays, now that nobody else is active. Nil: there is none.
func (r *Reconciler) keep(ctx context.Context, anchored []v1alpha1.AdminUser) (*v1alpha1.AdminUser, error) {
	kept := first(anchored, worthKeeping)
	if kept == nil {
		return nil, nil
	}
	going, err := r.namespaceIsGoing(ctx)
	if err != nil || going {
		return nil, err
	}
	before := markOf(kept)
	if err := r.mark(ctx, kept, keptLast); err != nil {
		return nil, err
	}
	if before.Reason != v1alpha1.ReasonKeptLastAdmin {
		r.Events.Eventf(kept, nil, corev1.EventTypeWarning, v1alpha1.ReasonKeptLastAdmin, "Keep", "%s", keptLast.Message)
	}
	return kept, nil
}

func (r *Reconciler) namespaceIsGoing(ctx context.Context) (bool, error) {
	var namespace corev1.Namespace
	err := r.Live.Get(ctx, client.ObjectKey{Name: r.Namespace}, &namespace)
	return !namespace.DeletionTimestamp.IsZero(), err
}

// anchor has the finalizer be on one active admin, or else on the one that is kept, and then takes it off all
// others.
func (r *Reconciler) anchor(ctx context.Context, active, anchored []v1alpha1.AdminUser, last *v1alpha1.AdminUser) error {
	stays := chooseAnchor(active, last)
	if stays != nil {
		if err := r.setAnchor(ctx, stays, true); err != nil {
			return err
		}
		r.hold.note(stays.UID, r.Clock.Now())
	}
	leave := leaving(anchored, stays)
	if len(leave) == 0 {
		return nil
	}
	if err := r.confirm(ctx, stays); err != nil {
		return err
	}
	for _, u := range leave {
		if err := r.setAnchor(ctx, u, false); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// leaving are those who may lose the finalizer: all but who stays, and without anybody who does only those deleted.
func leaving(anchored []v1alpha1.AdminUser, stays *v1alpha1.AdminUser) []*v1alpha1.AdminUser {
	var leave []*v1alpha1.AdminUser
	for i := range anchored {
		u := &anchored[i]
		if stays == nil && !u.DeletionTimestamp.IsZero() || stays != nil && u.UID != stays.UID {
			leave = append(leave, u)
		}
	}
	return leave
}

// confirm asks the API server whether who stays is there and has the finalizer: a cache that lags may not know
// yet that this very controller took it off, and nobody is let go on its word. The finalizer itself then holds
// the object.
func (r *Reconciler) confirm(ctx context.Context, stays *v1alpha1.AdminUser) error {
	if stays == nil {
		return nil
	}
	if r.hold.left(r.Clock.Now()) > 0 {
		return errTooEarly
	}
	var live v1alpha1.AdminUser
	err := r.Live.Get(ctx, client.ObjectKeyFromObject(stays), &live)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if live.UID != stays.UID || !isAnchored(&live) {
		return apierrors.NewConflict(v1alpha1.SchemeGroupVersion.WithResource("adminusers").GroupResource(), stays.Name, errCacheLags)
	}
	return nil
}

var errCacheLags = errors.New("the cache does not show yet what was written")

// settleFor is how long an anchor is one before others are let go in its favour. A deletion that the API server
// had begun to carry out before the finalizer was there goes on as if it were not: when the object has changed
// meanwhile it looks at its uid again, and at nothing else. Such a deletion is over in milliseconds.
const settleFor = time.Second

// errTooEarly: others are let go when the anchor has been one for settleFor.
var errTooEarly = errors.New("the anchor is too new")

// hold is since when which object is the anchor, as far as this process has seen.
type hold struct {
	uid   types.UID
	since time.Time
}

func (h *hold) note(uid types.UID, now time.Time) {
	if h.uid != uid {
		h.uid, h.since = uid, now
	}
}

// left is how long it has to be the anchor yet.
func (h *hold) left(now time.Time) time.Duration { return h.since.Add(settleFor).Sub(now) }

// chooseAnchor is the active admin that has the finalizer already, or the oldest one, or the one that is kept,
// or nobody.
func chooseAnchor(active []v1alpha1.AdminUser, last *v1alpha1.AdminUser) *v1alpha1.AdminUser {
	if has := first(active, isAnchored); has != nil {
		return has
	}
	if oldest := first(active, isActive); oldest != nil {
		return oldest
	}
	return last
}

// setAnchor adds or removes the finalizer, in the version that was decided on.
func (r *Reconciler) setAnchor(ctx context.Context, user *v1alpha1.AdminUser, on bool) error {
	changed := user.DeepCopy()
	if on == isAnchored(user) {
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

// first is the oldest of those that are so, or nil.
func first(users []v1alpha1.AdminUser, is func(*v1alpha1.AdminUser) bool) *v1alpha1.AdminUser {
	var oldest *v1alpha1.AdminUser
	for i := range users {
		if u := &users[i]; is(u) && (oldest == nil || keyholder.Older(u, oldest)) {
			oldest = u
		}
	}
	return oldest
}
