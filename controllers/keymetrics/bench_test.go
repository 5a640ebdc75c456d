package keymetrics

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"keywright.dev/keywright/api/v1alpha1"
)

const many = 100_000

// maxDuration is the longest a scrape may take: scrapes come every few seconds.
const maxDuration = 250 * time.Millisecond

// BenchmarkCollect counts 100,000 APIKeys in a cache like the operator's.
func BenchmarkCollect(b *testing.B) {
	c := syncedCollector(b)
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		if n := testutil.CollectAndCount(c, "keywright_keys"); n == 0 {
			b.Fatal("no metric was exported")
		}
		if took := time.Since(begun); took > maxDuration {
			b.Errorf("%v to count %d keys, more than %v", took, many, maxDuration)
		}
	}
	if n := c.kinds[1].summarize(1).states[Active]; n != many {
		b.Errorf("%d keys were counted, not %d", n, many)
	}
}

// syncedCollector returns a Collector on a cache with many keys and no API server.
func syncedCollector(b *testing.B) *Collector {
	b.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		b.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("AdminUser"), meta.RESTScopeNamespace)
	mapper.Add(v1alpha1.SchemeGroupVersion.WithKind("APIKey"), meta.RESTScopeNamespace)
	objects, err := cache.New(&rest.Config{Host: "http://127.0.0.1:1"}, cache.Options{
		Scheme: scheme, Mapper: mapper, HTTPClient: http.DefaultClient,
		NewInformer: func(
			_ toolscache.ListerWatcher, o runtime.Object, resync time.Duration, indexers toolscache.Indexers,
		) toolscache.SharedIndexInformer {
			return toolscache.NewSharedIndexInformer(contents(o), o, resync, indexers)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	leading := make(chan struct{})
	close(leading)
	c, err := New(b.Context(), objects, clock.RealClock{}, leading)
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = objects.Start(b.Context()) }()
	if !toolscache.WaitForCacheSync(b.Context().Done(), c.kinds[0].synced, c.kinds[1].synced) {
		b.Fatal("the cache did not sync")
	}
	return c
}

func contents(kind runtime.Object) toolscache.ListerWatcher {
	return &unstreamed{toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			if _, ok := kind.(*v1alpha1.APIKey); ok {
				return manyKeys(), nil
			}
			return &v1alpha1.AdminUserList{}, nil
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return watch.NewFake(), nil
		},
	}}
}

// unstreamed does not support streaming lists.
type unstreamed struct{ toolscache.ListWatch }

func (*unstreamed) IsWatchListSemanticsUnSupported() bool { return true }

func manyKeys() *v1alpha1.APIKeyList {
	list := &v1alpha1.APIKeyList{Items: make([]v1alpha1.APIKey, many)}
	for i := range list.Items {
		list.Items[i].Namespace, list.Items[i].Name = "team", fmt.Sprintf("key-%d", i)
		list.Items[i].UID = types.UID(list.Items[i].Name)
		list.Items[i].Status.KeyHolderStatus = status(keys(key(nil)), accepted())
	}
	return list
}
