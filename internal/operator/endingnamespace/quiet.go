package endingnamespace

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// retryAfter is how long to wait before another try. The deletion of the object comes first, unless a finalizer of
// another program holds the namespace.
const retryAfter = time.Minute

// Quiet returns a reconciler that takes the error of a write in a terminating namespace for a pause, and not for a
// failure that is logged and counted. Every controller is registered with it.
func Quiet(r reconcile.Reconciler) reconcile.Reconciler { return quiet{r} }

type quiet struct{ reconcile.Reconciler }

// Reconcile implements reconcile.Reconciler.
func (q quiet) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	result, err := q.Reconciler.Reconcile(ctx, request)
	if !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return result, err
	}
	log.FromContext(ctx).Info("The namespace is being deleted: nothing is written there")
	return reconcile.Result{RequeueAfter: retryAfter}, nil
}
