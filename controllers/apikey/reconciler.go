package apikey

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/operator/endingnamespace"
	"keywright.dev/keywright/internal/operator/issuer"
)

// Reconciler reconciles APIKeys.
type Reconciler struct {
	// Client reads APIKeys, AccessRoles, their bindings and AdminUsers from a cache that has Index and
	// keyholder.IndexUsernames.
	Client client.Client
	Issuer *issuer.Issuer
	// System is the namespace of AdminUsers.
	System string
	// Limits holds MAX_TTL and DEFAULT_TTL of the instance. If it is nil, neither applies.
	Limits *Limits
	// RuntimeCache has ConfigMap keywright-runtime. SetupWithManager sets Limits from it, if it is not nil.
	RuntimeCache cache.Cache
}

// Reconcile issues, rotates or ends the keys of one APIKey.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var key v1alpha1.APIKey
	err := r.Client.Get(ctx, req.NamespacedName, &key)
	if apierrors.IsNotFound(err) {
		return reconcile.Result{}, r.Issuer.RemoveOrphans(ctx, keyholder.APIKey, req.NamespacedName)
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	dependencies, err := r.resolve(ctx, &key)
	if err != nil {
		return reconcile.Result{}, err
	}
	target := describe(&key, dependencies)
	target.WithinBudget = withinBudget(key.Status.Usage.Budgets, dependencies.budgets, r.Issuer.Clock.Now())
	return r.Issuer.Run(ctx, target)
}

// SetupWithManager registers the controller for APIKeys, the Secrets written for them, the AccessRoles,
// AccessRoleBindings and AdminUsers they depend on, and the limits of the instance. requeue delivers APIKeys to
// reconcile for a reason outside this controller.
func (r *Reconciler) SetupWithManager(
	mgr ctrl.Manager, requeue <-chan event.GenericEvent, options controller.Options,
) error {
	ofOwner := handler.EnqueueRequestForOwner(
		mgr.GetScheme(), mgr.GetRESTMapper(), &v1alpha1.APIKey{}, handler.OnlyControllerOwner())
	ofUser := handler.EnqueueRequestsFromMapFunc(r.keysOfUser)
	b := ctrl.NewControllerManagedBy(mgr).
		Named("apikey").
		For(&v1alpha1.APIKey{}).
		Watches(issuer.SecretMetadata(), ofOwner, builder.OnlyMetadata).
		Watches(&v1alpha1.AccessRole{}, handler.EnqueueRequestsFromMapFunc(r.keysOfRole)).
		Watches(&v1alpha1.AccessRoleBinding{}, handler.EnqueueRequestsFromMapFunc(r.keysOfBinding)).
		Watches(&v1alpha1.AdminUser{}, ofUser, builder.WithPredicates(predicate.Funcs{UpdateFunc: affectsKeys})).
		WatchesRawSource(source.Channel(requeue, &handler.EnqueueRequestForObject{})).
		WithOptions(options)
	if r.RuntimeCache != nil {
		r.Limits = &Limits{Reader: r.RuntimeCache, Namespace: r.System}
		b = b.WatchesRawSource(source.Kind(r.RuntimeCache, &corev1.ConfigMap{}, r.allKeys()))
	}
	return b.Complete(endingnamespace.Quiet(r))
}
