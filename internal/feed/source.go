package feed

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// retry is how a broken watch is taken up again: soon, for a revocation may have been missed, and never rarer than
// every few seconds.
var retry = wait.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: 6, Cap: 3 * time.Second}

// sink takes what one resource says.
type sink interface {
	put(object any)
	remove(object any)
	// replace takes all there is in place of what was put before.
	replace(objects []any)
}

// source watches one resource and passes it to a sink. It implements cache.ReflectorStore.
type source struct {
	sink
	resource string
	example  runtime.Object
	watched  cache.ListerWatcher
	log      *slog.Logger
	// synced is true once everything has been seen; it stays so.
	synced atomic.Bool
	// away is true while the API server can't be reached.
	away atomic.Bool
}

func newSource(resource string, client cache.Getter, namespace string, selector fields.Selector, example runtime.Object, to sink, log *slog.Logger) *source {
	s := &source{sink: to, resource: resource, example: example, log: log.With("resource", resource)}
	from := cache.NewListWatchFromClient(client, resource, namespace, selector)
	s.watched = &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := from.ListWithContext(ctx, o)
			s.noteReached(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := from.WatchWithContext(ctx, o)
			s.noteReached(ctx, err)
			return w, err
		},
	}
	return s
}

func (s *source) run(ctx context.Context) {
	backoff := retry
	reflector := cache.NewReflectorWithOptions(s.watched, s.example, s, cache.ReflectorOptions{
		Name: s.resource, Backoff: &backoff,
	})
	reflector.RunWithContext(ctx)
}

// noteReached logs each change for the worse or the better once, however often is tried in between.
func (s *source) noteReached(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !s.away.Swap(true):
		s.log.Warn("The API server can't be asked: going on with what was last seen", "error", err.Error())
	case err == nil && s.away.Swap(false):
		s.log.Info("The API server can be asked again")
	}
}

// Add is part of cache.ReflectorStore.
func (s *source) Add(object any) error { s.put(object); return nil }

// Update is part of cache.ReflectorStore.
func (s *source) Update(object any) error { s.put(object); return nil }

// Delete is part of cache.ReflectorStore.
func (s *source) Delete(object any) error { s.remove(object); return nil }

// Replace is part of cache.ReflectorStore. The first one fills the index.
func (s *source) Replace(objects []any, _ string) error {
	s.replace(objects)
	if !s.synced.Swap(true) {
		s.log.Info("Everything has been seen once", "objects", len(objects))
	}
	return nil
}

// Resync is part of cache.ReflectorStore; there is nothing to repeat.
func (s *source) Resync() error { return nil }
