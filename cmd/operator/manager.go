package main

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/operator/cachetrim"
	"keywright.dev/keywright/internal/operator/issuer"
)

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1alpha1.AddToScheme(scheme)
}

// newManager returns a manager that caches custom resources and the metadata of Secrets that Keywright wrote.
func newManager(restConfig *rest.Config, o *options) (ctrl.Manager, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	// API priority and fairness limits clients; a second limit here would only slow down a large installation.
	restConfig.QPS = -1
	cached, err := cacheOptions(o)
	if err != nil {
		return nil, err
	}
	return ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:                        scheme,
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.probeAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              recorderName,
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         cached,
	})
}

// cacheOptions limits the cache to AdminUsers of the operator's namespace, and APIKeys and Secrets of the
// namespaces of APIKeys.
func cacheOptions(o *options) (cache.Options, error) {
	written, err := labels.NewRequirement(v1alpha1.LabelIssuedFor, selection.Exists, nil)
	if err != nil {
		return cache.Options{}, err
	}
	own := map[string]cache.Config{o.Namespace: {}}
	keys, secrets := map[string]cache.Config{}, map[string]cache.Config{o.Namespace: {}}
	for _, namespace := range o.KeyNamespaces {
		keys[namespace], secrets[namespace] = cache.Config{}, cache.Config{}
	}
	if len(o.KeyNamespaces) == 0 {
		keys = map[string]cache.Config{cache.AllNamespaces: {}}
		secrets = keys
	}
	trimmer := &cachetrim.Trimmer{}
	return cache.Options{
		DefaultNamespaces: own,
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.AdminUser{}: {Transform: trimmer.KeyObject},
			&v1alpha1.APIKey{}:    {Namespaces: keys, Transform: trimmer.KeyObject},
			// A user takes more room in the managed fields than in the spec.
			&v1alpha1.AccessRoleBinding{}: {Transform: cache.TransformStripManagedFields()},
			issuer.SecretMetadata(): {
				Label: labels.NewSelector().Add(*written), Namespaces: secrets, Transform: trimmer.Secret,
			},
		},
	}, nil
}

// singleObjectCache caches one object. RBAC allows the operator to list only this one of its kind.
func singleObjectCache(mgr ctrl.Manager, object client.Object, namespace, name string) (cache.Cache, error) {
	named := cache.Config{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name)}
	single, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{object: {
			Namespaces: map[string]cache.Config{namespace: named},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("cache of %s: %w", name, err)
	}
	return single, mgr.Add(single)
}
