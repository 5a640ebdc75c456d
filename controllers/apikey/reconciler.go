package apikey

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
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/issuer"
)

// Reconciler brings one APIKey to what its spec asks.
type Reconciler struct {
	// Client reads APIKeys, AccessRoles and AdminUsers from a cache that has Index.
	Client client.Client
	Issuer *issuer.Issuer
	// System is Keywright's own namespace, where AdminUsers are.
	System string
}

// Reconcile does for one APIKey all that can be done now.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var key v1alpha1.APIKey
	err := r.Client.Get(ctx, req.NamespacedName, &key)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, r.Issuer.RemoveOrphans(ctx, keyholder.APIKey, req.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	around, err := r.lookAround(ctx, &key)
	if err != nil {
		return reconcile.Result{}, err
	}
	return r.Issuer.Run(ctx, describe(&key, around))
}

// SetupWithManager registers the controller for its objects, for the Secrets written for them, for what they depend on,
// and for asked, which names objects to look at again for a reason outside this controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, asked <-chan event.GenericEvent, options controller.Options) error {
	ofOwner := handler.EnqueueRequestForOwner(mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.APIKey{}, handler.OnlyControllerOwner())
	return ctrl.NewControllerManagedBy(mgr).
		Named("apikey").
		For(&v1alpha1.APIKey{}).
		Watches(issuer.SecretMetadata(), ofOwner, builder.OnlyMetadata).
		Watches(&v1alpha1.AccessRole{}, handler.EnqueueRequestsFromMapFunc(r.keysOfRole)).
		Watches(&v1alpha1.AdminUser{}, handler.EnqueueRequestsFromMapFunc(r.keysOfUser), builder.WithPredicates(predicate.Funcs{UpdateFunc: changesOwner})).
		WatchesRawSource(source.Channel(asked, &handler.EnqueueRequestForObject{})).
		WithOptions(options).
		Complete(r)
}
