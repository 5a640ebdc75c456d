package cachedclient

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Index adds one to the cache before it starts.
type Index func(context.Context, client.FieldIndexer) error

// New starts a cache and returns a client that reads from it and has seen whatever was written through it. stop ends
// the cache and returns when it has ended.
func New(config *rest.Config, scheme *runtime.Scheme, indexes ...Index) (c client.WithWatch, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	stop = func() { cancel(); running.Wait() }
	reader, err := cache.New(config, cache.Options{Scheme: scheme})
	if err != nil {
		return nil, stop, err
	}
	for _, index := range indexes {
		if err := index(ctx, reader); err != nil {
			return nil, stop, err
		}
	}
	running.Go(func() { _ = reader.Start(ctx) })
	if !reader.WaitForCacheSync(ctx) {
		return nil, stop, errors.New("the cache did not come into sync")
	}
	c, err = client.NewWithWatch(config, client.Options{
		Scheme: scheme,
		Cache:  &client.CacheOptions{Reader: reader, EnableReadYourWritesConsistency: new(true)},
	})
	return c, stop, err
}
