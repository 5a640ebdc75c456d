package clusterwatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// retry is the backoff of a broken watch: short, because a revocation may have been missed.
var retry = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 3 * time.Second}

// A client returns emptyWatch instead of an error when the connection is cut before the API server has answered.
var (
	emptyWatch = reflect.TypeOf(watch.NewEmptyWatch())
	errCut     = errors.New("the connection was cut or timed out before an answer came")
)

// watchError returns why a watch can't begin. For a watch that begins with a list, it hides the type of a refused
// connection: the reflector would recognize the type, and wait even after the context has ended.
func watchError(w watch.Interface, err error, o *metav1.ListOptions) error {
	switch {
	case err == nil && reflect.TypeOf(w) == emptyWatch:
		return errCut
	case o.SendInitialEvents != nil && utilnet.IsConnectionRefused(err):
		return errors.New(err.Error())
	}
	return err
}

// resource is what one watch lists.
type resource struct {
	client rest.Interface
	name   string
	// namespace may be empty for all namespaces, or for a cluster-scoped resource.
	namespace string
	selector  fields.Selector
	example   runtime.Object
}

// String names the resource in logs and in readiness.
func (r *resource) String() string {
	if r.name == "apikeys" && r.namespace != "" {
		return r.name + " in " + r.namespace
	}
	return r.name
}

func (r *resource) request(o metav1.ListOptions) *rest.Request {
	o.FieldSelector = r.selector.String()
	// By default the client would retry ten times before it reports an error.
	return r.client.Get().Namespace(r.namespace).Resource(r.name).
		VersionedParams(&o, metav1.ParameterCodec).MaxRetries(0)
}

// resourceWatch watches one resource for a handler. It implements cache.ReflectorStore.
type resourceWatch struct {
	handler
	connection
	example runtime.Object
	lister  cache.ListerWatcher
}

func newWatch(what resource, to handler, log *slog.Logger) *resourceWatch {
	w := &resourceWatch{handler: to, example: what.example}
	w.connection = connection{resource: what.String(), log: log.With("resource", what.String()), now: time.Now}
	w.lister = &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := what.request(o).Do(ctx).Get()
			w.observe(ctx, &o, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			events, err := what.request(o).Watch(ctx)
			err = watchError(events, err, &o)
			w.observe(ctx, &o, err)
			return events, err
		},
	}
	return w
}

// run watches until ctx ends.
func (w *resourceWatch) run(ctx context.Context) {
	backoff := retry
	options := cache.ReflectorOptions{Name: w.resource, Backoff: &backoff}
	cache.NewReflectorWithOptions(w.lister, w.example, w, options).RunWithContext(ctx)
}

// Transformer implements cache.TransformingStore: while the reflector gathers all objects, it keeps no more of each
// than the handler needs.
func (w *resourceWatch) Transformer() cache.TransformFunc { return w.trim }

// Add implements cache.ReflectorStore.
func (w *resourceWatch) Add(object any) error { w.put(object); return nil }

// Update implements cache.ReflectorStore.
func (w *resourceWatch) Update(object any) error { w.put(object); return nil }

// Delete implements cache.ReflectorStore.
func (w *resourceWatch) Delete(object any) error { w.remove(object); return nil }

// Replace implements cache.ReflectorStore. The first call fills the index.
func (w *resourceWatch) Replace(objects []any, _ string) error {
	w.replace(objects)
	w.markListed(len(objects))
	return nil
}

// Resync implements cache.ReflectorStore. There is nothing to repeat.
func (*resourceWatch) Resync() error { return nil }

// connection is the state of the requests for one resource. It logs each change between reachable and unreachable once,
// however many retries come in between.
type connection struct {
	resource string
	log      *slog.Logger
	now      func() time.Time

	mu sync.Mutex
	// listed is true once all objects have been listed, and stays true.
	listed bool
	// err is the error of the last request, or nil. since is when requests began to fail.
	err   error
	since time.Time
}

// observe records the result of a request.
func (c *connection) observe(ctx context.Context, o *metav1.ListOptions, err error) {
	if ctx.Err() != nil || isProtocol(o, err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.err
	c.err = err
	switch {
	case err != nil && before == nil:
		c.since = c.now()
		c.log.Warn("The API server is unreachable", "error", err.Error(), "continuingWithLastView", c.listed)
	case err == nil && before != nil:
		c.log.Info("The API server is reachable again", "after", c.now().Sub(c.since).String())
	}
}

// isProtocol reports whether an error only makes the reflector send another request: for a newer version or, with an
// old API server, for a list and then a watch.
func isProtocol(o *metav1.ListOptions, err error) bool {
	return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		o.SendInitialEvents != nil && apierrors.IsInvalid(err)
}

func (c *connection) markListed(objects int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.listed {
		c.listed = true
		c.log.Info("All objects have been listed", "objects", objects)
	}
}

// ready returns an error until all objects have been listed, with the reason if there is one.
func (c *connection) ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.listed:
		return nil
	case c.err != nil:
		return fmt.Errorf("%s have not been listed yet: %w", c.resource, c.err)
	}
	return fmt.Errorf("%s have not been listed yet", c.resource)
}

// age returns for how long requests have failed.
func (c *connection) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		return 0
	}
	return c.now().Sub(c.since)
}
