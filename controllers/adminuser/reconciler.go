package adminuser

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/endingnamespace"
	"keywright.dev/keywright/internal/operator/issuer"
)

// Reconciler reconciles AdminUsers.
type Reconciler struct {
	// Client reads AdminUsers from a cache that has keyholder.IndexUsernames.
	Client client.Client
	Issuer *issuer.Issuer
	// System is the only namespace whose Secrets are watched. Those of another installation, which may be left over
	// elsewhere, name AdminUsers that Client does not read. Empty: every namespace.
	System string

	// names serializes the reconciles of AdminUsers that claim the same username.
	names nameLocks
}

// Reconcile issues, rotates or ends the keys of one AdminUser.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var user v1alpha1.AdminUser
	err := r.Client.Get(ctx, req.NamespacedName, &user)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, r.Issuer.RemoveOrphans(ctx, keyholder.AdminUser, req.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if heldByAnchor(&user) {
		return reconcile.Result{}, nil
	}
	defer r.names.lock(user.EffectiveUsername())()
	rival, err := r.honouredRival(ctx, &user)
	if err != nil {
		return reconcile.Result{}, err
	}
	return r.Issuer.Run(ctx, describe(&user, rival))
}

// heldByAnchor reports whether the user is being deleted and the last admin controller has not released it yet.
// Until then the keys stay as they are.
func heldByAnchor(user *v1alpha1.AdminUser) bool {
	return !user.DeletionTimestamp.IsZero() && convert.IsAnchor(user)
}

// SetupWithManager registers the controller for AdminUsers and the Secrets written for them. requeue delivers
// AdminUsers to reconcile for a reason outside this controller.
func (r *Reconciler) SetupWithManager(
	mgr ctrl.Manager, requeue <-chan event.GenericEvent, options controller.Options,
) error {
	ofOwner := handler.EnqueueRequestForOwner(
		mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.AdminUser{}, handler.OnlyControllerOwner())
	ours := predicate.NewPredicateFuncs(func(secret client.Object) bool {
		return r.System == "" || secret.GetNamespace() == r.System
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("adminuser").
		For(&v1alpha1.AdminUser{}).
		Watches(issuer.SecretMetadata(), ofOwner, builder.OnlyMetadata, builder.WithPredicates(ours)).
		Watches(&v1alpha1.AdminUser{}, handler.EnqueueRequestsFromMapFunc(r.rivalRequests)).
		WatchesRawSource(source.Channel(requeue, &handler.EnqueueRequestForObject{})).
		WithOptions(options).
		Complete(endingnamespace.Quiet(r))
}
