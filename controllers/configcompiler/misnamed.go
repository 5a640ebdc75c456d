package configcompiler

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/operator/endingnamespace"
)

// Misnamed reports ConfigMaps that are meant as the configuration and are not read: kustomize adds a hash to the name
// of a generated ConfigMap, and a prefix or suffix to every name.
type Misnamed struct {
	// Client reads the metadata of the ConfigMaps in Namespace.
	Client    client.Reader
	Events    events.EventRecorder
	Namespace string

	// reported has the uids of ConfigMaps that were reported since the start.
	reported map[types.UID]bool
}

// Reconcile reports a ConfigMap once.
func (m *Misnamed) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	found := configMapMetadata()
	if err := m.Client.Get(ctx, req.NamespacedName, found); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !m.isMisnamed(found) || m.reported[found.UID] {
		return reconcile.Result{}, nil
	}
	m.Events.Eventf(found, nil, corev1.EventTypeWarning, v1alpha1.EventConfigMisnamed, "Ignore",
		"This ConfigMap is not read: the name of the configuration is %s. If kustomize changed it, set "+
			"disableNameSuffixHash: true for a generator, and neither namePrefix nor nameSuffix.", v1alpha1.ConfigMapConfig)
	if m.reported == nil {
		m.reported = map[types.UID]bool{}
	}
	m.reported[found.UID] = true
	return reconcile.Result{}, nil
}

func (m *Misnamed) isMisnamed(o client.Object) bool {
	return o.GetNamespace() == m.Namespace && o.GetName() != v1alpha1.ConfigMapConfig &&
		strings.Contains(o.GetName(), v1alpha1.ConfigMapConfig)
}

func configMapMetadata() *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return metadata
}

// SetupWithManager registers the controller. It does not run concurrently.
func (m *Misnamed) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("misnamed-config").
		For(&corev1.ConfigMap{}, builder.OnlyMetadata, builder.WithPredicates(predicate.NewPredicateFuncs(m.isMisnamed))).
		Complete(endingnamespace.Quiet(m))
}
