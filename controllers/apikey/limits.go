package apikey

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// Limits reads the limits of the instance from the configuration in force, as the servers do. Its zero value has none.
// It is safe for concurrent use.
type Limits struct {
	// Reader has ConfigMap keywright-runtime of Namespace in a cache. Nil: there are no limits.
	Reader    client.Reader
	Namespace string

	mu sync.Mutex
	// read is the version that last is from: the document may be long.
	read string
	last lifecycle.Limits
}

// get keeps the last limits while the document is missing or can't be read: no key gets a later end meanwhile.
func (l *Limits) get(ctx context.Context) (lifecycle.Limits, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Reader == nil {
		return l.last, nil
	}
	var runtime corev1.ConfigMap
	err := l.Reader.Get(ctx, types.NamespacedName{Namespace: l.Namespace, Name: v1alpha1.ConfigMapRuntime}, &runtime)
	switch {
	case apierrors.IsNotFound(err):
		return l.last, nil
	case err != nil:
		return l.last, err
	case runtime.ResourceVersion != l.read:
		l.read = runtime.ResourceVersion
		l.last = limitsOf(&runtime, l.last)
	}
	return l.last, nil
}

// limitsOf returns the limits in a document, or others if it can't be read.
func limitsOf(runtime *corev1.ConfigMap, otherwise lifecycle.Limits) lifecycle.Limits {
	parsed, err := config.ParseRuntime(runtime.Data[config.RuntimeKey])
	if err != nil {
		return otherwise
	}
	return parsed.Limits()
}

// allKeys requeues every APIKey when the limits change. At the start each is reconciled anyway.
func (r *Reconciler) allKeys() handler.TypedEventHandler[*corev1.ConfigMap, reconcile.Request] {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	requeue := func(ctx context.Context, q queue) {
		var list v1alpha1.APIKeyList
		if err := r.Client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
			return
		}
		for i := range list.Items {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return handler.TypedFuncs[*corev1.ConfigMap, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*corev1.ConfigMap], q queue) {
			if !e.IsInInitialList && limitsOf(e.Object, lifecycle.Limits{}) != (lifecycle.Limits{}) {
				requeue(ctx, q)
			}
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*corev1.ConfigMap], q queue) {
			before := limitsOf(e.ObjectOld, lifecycle.Limits{})
			if limitsOf(e.ObjectNew, before) != before {
				requeue(ctx, q)
			}
		},
	}
}
