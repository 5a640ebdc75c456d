package bench

import (
	"context"
	"log/slog"
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/server/clusterwatch"
	"keywright.dev/keywright/test/stack"
)

// The bounds of filling an index.
const (
	// mostIndexed is the most memory of a key in the index, in bytes.
	mostIndexed = 1024
	// mostOfList is the largest ratio of the time to fill it to the time of a bare list of the same objects.
	mostOfList = 1.5

	fillRounds = 5
)

// index fills an index with 100,000 keys from the API server, as a starting server does, under its ServiceAccount. In
// turn it measures the floor: a list of the same objects, decoded to the same type and dropped.
func (c *crowd) index(b *testing.B) {
	b.Helper()
	many := crowds[len(crowds)-1]
	config, err := c.ServiceAccountConfig(b.Context(), "keywright-server")
	must(b, err)
	c.list(b, many.namespace)
	var shares, fills, lists []float64
	var perKey float64
	for range fillRounds {
		listed := c.list(b, many.namespace)
		filled, bytes := fill(b, config, many.namespace, many.keys)
		shares, fills, lists = append(shares, filled.Seconds()/listed.Seconds()), append(fills,
			filled.Seconds()), append(lists, listed.Seconds())
		perKey = bytes / float64(many.keys)
	}
	share := middle(shares)
	b.ReportMetric(perKey, "B/key")
	b.ReportMetric(middle(fills), "fill-s")
	b.ReportMetric(middle(lists), "list-s")
	b.ReportMetric(share, "fill-x-list")
	if perKey > mostIndexed {
		b.Errorf("a key takes %.0f bytes, more than %d", perKey, mostIndexed)
	}
	if share > mostOfList {
		b.Errorf("filling the index takes %.2f times as long as listing its objects, more than %.2f", share, mostOfList)
	}
}

// list returns the duration of a list.
func (c *crowd) list(b *testing.B, namespace string) time.Duration {
	b.Helper()
	runtime.GC()
	begun := time.Now()
	var all v1alpha1.APIKeyList
	// From the API server's memory, as watches do.
	must(b, c.Client.List(b.Context(), &all, client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}}))
	return time.Since(begun)
}

// fill returns how long it takes to fill an index, and the size of the index in bytes.
func fill(b *testing.B, config *rest.Config, namespace string, keys int) (took time.Duration, bytes float64) {
	b.Helper()
	before := heap()
	index := &verify.Index{}
	f, err := clusterwatch.New(config, keyholder.Scope{System: stack.Namespace, Namespaces: []string{namespace}},
		clusterwatch.Targets{Index: index}, slog.New(slog.DiscardHandler))
	must(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	begun := time.Now()
	go func() { defer close(ended); f.Run(ctx, func(string) error { return nil }) }()
	for f.Ready() != nil {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			b.Fatal(ctx.Err())
		}
	}
	took = time.Since(begun)
	bytes = float64(heap()) - float64(before)
	// Without the bootstrap key, which is not configured here.
	if index.Len() != keys {
		b.Fatalf("%d keys in the index, want %d", index.Len(), keys)
	}
	cancel()
	<-ended
	return took, bytes
}

func heap() uint64 {
	// Twice: objects that the first finds unused in pools are freed by the second.
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
