package clusterwatch

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// retry is how a broken watch is taken up again: soon, for a revocation may have been missed, and never rarer than
// every few seconds.
var retry = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 3 * time.Second}

// A client gives noWatch instead of an error when the connection is cut before the API server has answered.
var (
	noWatch = reflect.TypeOf(watch.NewEmptyWatch())
	errCut  = errors.New("the connection was cut or timed out before an answer came")
)

// failure is why a watch can't begin. That nobody listens is told in words alone to a watch that begins with a list:
// the reflector would know the error, and wait without an eye on the context.
func failure(w watch.Interface, err error, o *metav1.ListOptions) error {
	switch {
	case err == nil && reflect.TypeOf(w) == noWatch:
		return errCut
	case o.SendInitialEvents != nil && utilnet.IsConnectionRefused(err):
		return errors.New(err.Error())
	}
	return err
}

// sink takes what one resource says.
type sink interface {
	// condense returns what put, remove and replace need of an object. They take either.
	condense(object any) (any, error)
	put(object any)
	remove(object any)
	// replace takes all there is in place of what was put before.
	replace(objects []any)
}

// watched is what one source asks for.
type watched struct {
	client   rest.Interface
	resource string
	// namespace is the only one asked about; empty: all, or none where the resource has none.
	namespace string
	selector  fields.Selector
	example   runtime.Object
}

// String names it in logs and in readiness.
func (w *watched) String() string {
	if w.resource == "apikeys" && w.namespace != "" {
		return w.resource + " in " + w.namespace
	}
	return w.resource
}

func (w *watched) request(o metav1.ListOptions) *rest.Request {
	o.FieldSelector = w.selector.String()
	// The client would try ten times at its own leisure before it says that something is wrong.
	return w.client.Get().Namespace(w.namespace).Resource(w.resource).VersionedParams(&o, metav1.ParameterCodec).MaxRetries(0)
}

// source watches one resource and passes it to a sink. It implements cache.ReflectorStore.
type source struct {
	sink
	link
	example runtime.Object
	watched cache.ListerWatcher
}

func newSource(what watched, to sink, log *slog.Logger) *source {
	s := &source{sink: to, example: what.example}
	s.link = link{resource: what.String(), log: log.With("resource", what.String()), now: time.Now}
	s.watched = &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := what.request(o).Do(ctx).Get()
			s.note(ctx, &o, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			w, err := what.request(o).Watch(ctx)
			err = failure(w, err, &o)
			s.note(ctx, &o, err)
			return w, err
		},
	}
	return s
}

// run watches until ctx ends.
func (s *source) run(ctx context.Context) {
	backoff := retry
	reflector := cache.NewReflectorWithOptions(s.watched, s.example, s, cache.ReflectorOptions{
		Name: s.resource, Backoff: &backoff,
	})
	reflector.RunWithContext(ctx)
}

// Transformer is part of cache.TransformingStore: while the reflector gathers all objects it keeps as little of each
// as the index will.
func (s *source) Transformer() cache.TransformFunc { return s.condense }

// Add is part of cache.ReflectorStore.
func (s *source) Add(object any) error { s.put(object); return nil }

// Update is part of cache.ReflectorStore.
func (s *source) Update(object any) error { s.put(object); return nil }

// Delete is part of cache.ReflectorStore.
func (s *source) Delete(object any) error { s.remove(object); return nil }

// Replace is part of cache.ReflectorStore. The first one fills the index.
func (s *source) Replace(objects []any, _ string) error {
	s.replace(objects)
	s.fill(len(objects))
	return nil
}

// Resync is part of cache.ReflectorStore; there is nothing to repeat.
func (*source) Resync() error { return nil }
