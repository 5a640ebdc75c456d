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

// most is what counting so many may take: a scrape comes every few seconds.
const most = 250 * time.Millisecond

// BenchmarkCollect counts 100,000 APIKeys in a cache like the operator's.
func BenchmarkCollect(b *testing.B) {
	c := filled(b)
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		if n := testutil.CollectAndCount(c, "keywright_keys"); n == 0 {
			b.Fatal("nothing was told")
		}
		if took := time.Since(begun); took > most {
			b.Errorf("%v to count %d keys, more than %v", took, many, most)
		}
	}
	if n := c.kinds[1].count(1).states[Active]; n != many {
		b.Errorf("%d keys were counted, not %d", n, many)
	}
}

// filled follows a cache that has the keys without an API server.
func filled(b *testing.B) *Collector {
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
		NewInformer: func(_ toolscache.ListerWatcher, o runtime.Object, resync time.Duration, by toolscache.Indexers) toolscache.SharedIndexInformer {
			return toolscache.NewSharedIndexInformer(contents(o), o, resync, by)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	won := make(chan struct{})
	close(won)
	c, err := New(b.Context(), objects, clock.RealClock{}, won)
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = objects.Start(b.Context()) }()
	if !toolscache.WaitForCacheSync(b.Context().Done(), c.kinds[0].filled, c.kinds[1].filled) {
		b.Fatal("the cache was not filled")
	}
	return c
}

func contents(kind runtime.Object) toolscache.ListerWatcher {
	return &unstreamed{toolscache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			if _, is := kind.(*v1alpha1.APIKey); is {
				return manyKeys(), nil
			}
			return &v1alpha1.AdminUserList{}, nil
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			return watch.NewFake(), nil
		},
	}}
}

// unstreamed can only be listed.
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
