package clusterwatch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/server/endedkeys"
)

// Watcher fills an index and follows the runtime configuration.
type Watcher struct {
	watches []*resourceWatch
	runtime *runtimeConfig

	mu sync.Mutex
	// bound is the age that the view should stay below, and boundSince when that came into force.
	bound      time.Duration
	boundSince time.Time
}

// Targets receive what the Watcher sees.
type Targets struct {
	Index *verify.Index
	// EndedKeys publishes the keys that end for good, as verify.Index.Put returns them: keys that are refused from now
	// on, that are no longer recorded, or that have a successor. The first fill of the index publishes nothing. Every
	// replica publishes for itself.
	EndedKeys *endedkeys.Publisher
	// RevokedKeys publishes the keys that objects name as revoked, each time that an object is seen.
	RevokedKeys *endedkeys.Publisher
}

// New returns a Watcher of the objects in scope. It sends no request yet.
func New(config *rest.Config, scope keyholder.Scope, to Targets, log *slog.Logger) (*Watcher, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	keywright := newFastDecoder(
		scheme, v1alpha1.SchemeGroupVersion, keyholder.AdminUser, keyholder.APIKey, "AccessRole", "AccessRoleBinding")
	own, err := restClient(config, "/apis", keywright)
	if err != nil {
		return nil, err
	}
	core, err := restClient(config, "/api", newFastDecoder(scheme, corev1.SchemeGroupVersion, "ConfigMap"))
	if err != nil {
		return nil, err
	}
	w := &Watcher{runtime: &runtimeConfig{log: log}}
	add := func(what resource, to handler) { w.watches = append(w.watches, newWatch(what, to, log)) }
	all := fields.Everything()
	runtimeOnly := fields.OneTermEqualSelector(metav1.ObjectNameField, v1alpha1.ConfigMapRuntime)

	adminUsers := newAdminUsers(to.Index, scope.System, log)
	adminUsers.endedKeys, adminUsers.revokedKeys = to.EndedKeys, to.RevokedKeys
	add(resource{own, "adminusers", scope.System, all, &v1alpha1.AdminUser{}}, adminUsers)
	add(resource{own, "accessroles", "", all, &v1alpha1.AccessRole{}}, newAccessRoles(to.Index))
	add(resource{own, "accessrolebindings", "", all, &v1alpha1.AccessRoleBinding{}}, newAccessRoleBindings(to.Index))
	add(resource{core, "configmaps", scope.System, runtimeOnly, &corev1.ConfigMap{}}, w.runtime)
	shared := newPool()
	for _, namespace := range scope.KeyNamespaces() {
		apiKeys := newAPIKeys(to.Index, namespace, shared, log)
		apiKeys.endedKeys, apiKeys.revokedKeys = to.EndedKeys, to.RevokedKeys
		add(resource{own, "apikeys", namespace, all, &v1alpha1.APIKey{}}, apiKeys)
	}
	return w, nil
}

// restClient returns a client of one version of one group. Only watches use it, so it has no rate limit.
func restClient(config *rest.Config, path string, decoder fastDecoder) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath, config.QPS = &decoder.version, path, -1
	config.NegotiatedSerializer = decoder
	return rest.RESTClientFor(config)
}

// Run watches until ctx ends. configure applies the document of ConfigMap keywright-runtime; its error must not repeat
// the document.
func (w *Watcher) Run(ctx context.Context, configure func(document string) error) {
	w.runtime.apply = configure
	var running sync.WaitGroup
	for _, watch := range w.watches {
		running.Go(func() { watch.run(ctx) })
	}
	running.Wait()
}

// KeepWithin makes the view stay below an age while the cluster is healthy. Without a bound, 0, the age stays below two
// minutes. It may be called at any time.
func (w *Watcher) KeepWithin(bound time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bound == bound {
		return
	}
	w.bound, w.boundSince = bound, time.Now()
	for _, watch := range w.watches {
		watch.keepWithin(bound)
	}
}

// Ready returns an error until every resource has been listed once. It stays nil while the API server is unreachable.
func (w *Watcher) Ready() error {
	for _, watch := range w.watches {
		if err := watch.ready(); err != nil {
			return err
		}
	}
	return nil
}

// Shows reports whether the index has an object in the version of o or a later one: the watch of its resource delivers
// the versions in order. An object that no watch lists counts as shown.
func (w *Watcher) Shows(o client.Object) bool {
	for _, watch := range w.watches {
		if watch.what.lists(o) {
			return watch.shows(o.GetResourceVersion())
		}
	}
	return true
}

// Age returns how long ago the view was last known to be complete. In a healthy cluster that is some seconds.
func (w *Watcher) Age() time.Duration {
	var age time.Duration
	for _, watch := range w.watches {
		age = max(age, watch.age())
	}
	return age
}

// Bounded is a view whose age counts from when its bound came into force: the view was not kept within it before. That
// delays no refusal during an outage, since a new configuration comes through the view.
type Bounded struct{ *Watcher }

// Age implements gate.View.
func (b Bounded) Age() time.Duration {
	b.mu.Lock()
	since := b.boundSince
	b.mu.Unlock()
	return min(b.Watcher.Age(), time.Since(since))
}

// Failing returns why the age grows: the last error of a request since the view was confirmed, or nil.
func (w *Watcher) Failing() error {
	for _, watch := range w.watches {
		if err := watch.failing(); err != nil {
			return fmt.Errorf("%s: %w", watch.resource, err)
		}
	}
	return nil
}

// Restores returns how often a list of all objects of a resource was older than the view, and replaced it.
func (w *Watcher) Restores() int {
	restores := 0
	for _, watch := range w.watches {
		restores += watch.restored()
	}
	return restores
}
