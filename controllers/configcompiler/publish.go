package configcompiler

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// publication is what the servers were handed.
type publication struct {
	// before is the document that was there, document the one that is now.
	before, document string
	changed          bool
}

// changes are those that a person would name. What was there and can't be read counts as nothing configured.
func (p publication) changes() []string {
	before, _ := config.ParseRuntime(p.before)
	after, _ := config.ParseRuntime(p.document)
	return config.Changes(before, after)
}

// publish writes keywright-runtime if it says something new.
func (r *Reconciler) publish(ctx context.Context, document string) (publication, error) {
	before, err := r.document(ctx)
	if err != nil {
		return publication{}, err
	}
	p := publication{before: before, document: document, changed: before != document}
	if !p.changed {
		return p, nil
	}
	wanted := corev1ac.ConfigMap(v1alpha1.ConfigMapRuntime, r.Namespace).WithData(map[string]string{config.RuntimeKey: document})
	return p, r.Client.Apply(ctx, wanted, client.FieldOwner(v1alpha1.FieldManager), client.ForceOwnership)
}

// document is the one that is there, "" when there is none.
func (r *Reconciler) document(ctx context.Context) (string, error) {
	var present corev1.ConfigMap
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: v1alpha1.ConfigMapRuntime}, &present)
	return present.Data[config.RuntimeKey], client.IgnoreNotFound(err)
}
