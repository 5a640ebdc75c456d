package kit

import (
	"context"
	"sync"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

// Index adds a field index to a cache before the cache starts.
type Index func(context.Context, client.FieldIndexer) error

// CachedClient returns a client that reads from a cache, as the operator's does, until the suite ends. Reads see every
// earlier write through the same client.
func CachedClient(plane *stack.ControlPlane, indexes ...Index) client.WithWatch {
	ginkgo.GinkgoHelper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	ginkgo.DeferCleanup(func() { cancel(); running.Wait() })

	scheme := plane.Client.Scheme()
	reader, err := cache.New(plane.Admin, cache.Options{Scheme: scheme})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	for _, index := range indexes {
		gomega.Expect(index(ctx, reader)).To(gomega.Succeed())
	}
	running.Go(func() { _ = reader.Start(ctx) })
	gomega.Expect(reader.WaitForCacheSync(ctx)).To(gomega.BeTrue(), "the cache did not sync")
	c, err := client.NewWithWatch(plane.Admin, client.Options{
		Scheme: scheme,
		Cache:  &client.CacheOptions{Reader: reader, EnableReadYourWritesConsistency: new(true)},
	})
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	return c
}
