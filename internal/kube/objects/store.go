package objects

import (
	"context"
	"io"
	"log/slog"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/program/repeats"
)

// Object is a key object: *v1alpha1.AdminUser or *v1alpha1.APIKey.
type Object = keyholder.Object

// Verifier is what this server accepts now.
type Verifier interface {
	Verify(presented string, now time.Time) verify.Verdict
	VerifyDigest(digest *pepper.Digest, now time.Time) verify.Verdict
	Spellings(username string) []string
	UserID(username string) string
	Named(username string) (spelling string, disabled bool)
	IsRevoked(presented string) bool
	WasBootstrap(presented string) bool
}

// Revocations remembers keys that are refused for good, whatever object records them.
type Revocations interface {
	// Revoke returns once the keys are remembered, even after a restart.
	Revoke(ctx context.Context, keys []pepper.Digest) error
}

// View is how far this server has seen the objects at the API server.
type View interface {
	// Shows reports whether the index has an object in the version of o or a later one.
	Shows(o client.Object) bool
}

// callTimeout bounds each request to the API server.
const callTimeout = 10 * time.Second

// Options configure a Store.
type Options struct {
	REST *rest.Config
	// Namespace is Keywright's own. New objects are created there.
	Namespace string
	// KeyNamespaces are those of APIKeys. Empty: all.
	KeyNamespaces []string
	Verifier      Verifier
	// View may be set after New, before the first write.
	View View
	// Revocations may be nil in tests.
	Revocations Revocations
	// Format and Ring are the form of new keys and the peppers as they are now.
	Format func() keyformat.Format
	Ring   func() *pepper.Keyring
	// Random is crypto/rand.Reader outside tests.
	Random io.Reader
	Now    func() time.Time
	Log    *slog.Logger
	// Instance names this server in its events, and is its Pod. InstanceUID is the uid of the Pod. Outside a Pod they are
	// empty.
	Instance, InstanceUID string
}

// Store reads and writes custom resources. It is safe for concurrent use.
type Store struct {
	Options
	client client.Client
	events chan *eventsv1.Event
	// repeated counts equal events.
	repeated *repeats.Counter[eventKind, *eventsv1.Event]
}

// New returns a Store. It sends no request yet.
func New(o Options) (*Store, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, eventsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	config := rest.CopyConfig(o.REST)
	// The callers are people and programs that wait, so there is no rate limit.
	config.QPS, config.Timeout, config.WarningHandler = -1, callTimeout, rest.NoWarnings{}
	c, err := client.New(config, client.Options{Scheme: scheme, Mapper: resources()})
	if err != nil {
		return nil, err
	}
	return &Store{
		Options: o, client: c, events: make(chan *eventsv1.Event, maxEvents),
		repeated: repeats.New[eventKind, *eventsv1.Event](maxEventKinds, maxEqualEvents),
	}, nil
}

// resources returns the mapping of the kinds that a Store uses, so that none has to be discovered.
func resources() meta.RESTMapper {
	known := meta.NewDefaultRESTMapper(nil)
	add := func(version schema.GroupVersion, kind, plural, singular string, scope meta.RESTScope) {
		known.AddSpecific(version.WithKind(kind), version.WithResource(plural), version.WithResource(singular), scope)
	}
	add(v1alpha1.SchemeGroupVersion, keyholder.AdminUser, "adminusers", "adminuser", meta.RESTScopeNamespace)
	add(v1alpha1.SchemeGroupVersion, keyholder.APIKey, "apikeys", "apikey", meta.RESTScopeNamespace)
	add(v1alpha1.SchemeGroupVersion, "AccessRole", "accessroles", "accessrole", meta.RESTScopeRoot)
	add(eventsv1.SchemeGroupVersion, "Event", "events", "event", meta.RESTScopeNamespace)
	return known
}

// FromManifest reports whether the object was created by other means than the API, which then does not change it.
func FromManifest(o Object) bool {
	return o.GetLabels()[v1alpha1.LabelCreatedBy] != v1alpha1.CreatedByAPI
}
