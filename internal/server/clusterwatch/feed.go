package clusterwatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/server/revocations"
)

// Feed fills an index and follows the configuration.
type Feed struct {
	sources []*source
	runtime *runtimeConfig
}

// Places say where the objects are that count.
type Places struct {
	// System is Keywright's own namespace: of AdminUsers and the configuration.
	System string
	// Keys are the namespaces of APIKeys; none: all there are.
	Keys []string
}

// Sinks are where what is seen goes to.
type Sinks struct {
	Index *verify.Index
	// Revocations publishes the keys that end for good, as verify.Index.Put returns them: keys that are refused from now on,
	// that are no longer recorded, or that have a successor. Nothing is published while the index is filled for the first
	// time. Every replica publishes for itself.
	Revocations *revocations.Publisher
}

// New makes a feed of the objects in these places. It does not talk to the API server yet.
func New(config *rest.Config, in Places, to Sinks, log *slog.Logger) (*Feed, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	own, err := restClient(config, "/apis", newSwift(scheme, v1alpha1.SchemeGroupVersion, kindAdminUser, kindAPIKey, "AccessRole"))
	if err != nil {
		return nil, err
	}
	core, err := restClient(config, "/api", newSwift(scheme, corev1.SchemeGroupVersion, "ConfigMap"))
	if err != nil {
		return nil, err
	}
	runtimeOnly := fields.OneTermEqualSelector(metav1.ObjectNameField, v1alpha1.ConfigMapRuntime)
	adminUsers := newAdminUsers(to.Index, in.System, log)
	adminUsers.revocations = to.Revocations
	runtime := &runtimeConfig{log: log}
	sources := []*source{
		newSource(watched{own, "adminusers", in.System, fields.Everything(), &v1alpha1.AdminUser{}}, adminUsers, log),
		newSource(watched{own, "accessroles", "", fields.Everything(), &v1alpha1.AccessRole{}}, &accessRoles{index: to.Index}, log),
		newSource(watched{core, "configmaps", in.System, runtimeOnly, &corev1.ConfigMap{}}, runtime, log),
	}
	common := newPool()
	for _, namespace := range in.keys() {
		apiKeys := newAPIKeys(to.Index, namespace, common, log)
		apiKeys.revocations = to.Revocations
		sources = append(sources, newSource(watched{own, "apikeys", namespace, fields.Everything(), &v1alpha1.APIKey{}}, apiKeys, log))
	}
	return &Feed{sources: sources, runtime: runtime}, nil
}

func (p *Places) keys() []string {
	if len(p.Keys) == 0 {
		return []string{metav1.NamespaceAll}
	}
	return p.Keys
}

// restClient speaks one version of one group. Nothing here but watches goes through it, so nothing is throttled.
func restClient(config *rest.Config, path string, language swift) (*rest.RESTClient, error) {
	config = rest.CopyConfig(config)
	config.GroupVersion, config.APIPath, config.QPS = &language.version, path, -1
	config.NegotiatedSerializer = language
	return rest.RESTClientFor(config)
}

// Run watches until ctx ends. configure applies the document of ConfigMap keywright-runtime. Its error must not repeat what
// the document says.
func (f *Feed) Run(ctx context.Context, configure func(document string) error) {
	f.runtime.apply = configure
	var running sync.WaitGroup
	for _, s := range f.sources {
		running.Go(func() { s.run(ctx) })
	}
	running.Wait()
}

// Ready is an error until everything has been seen once. It stays nil while the API server is away.
func (f *Feed) Ready() error {
	for _, s := range f.sources {
		if err := s.ready(); err != nil {
			return err
		}
	}
	return nil
}

// Age is for how long the API server could not be asked: how old the view may be. It is zero while all is well.
func (f *Feed) Age() time.Duration {
	var age time.Duration
	for _, s := range f.sources {
		age = max(age, s.age())
	}
	return age
}
