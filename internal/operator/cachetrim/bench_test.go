package cachetrim

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// encodedKey returns an APIKey with a delivered key, as the API server sends it.
func encodedKey(i int) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","metadata":{"name":"key-%06d","namespace":"keys",
"uid":"5a0b9c64-64e8-4d3a-9a2c-%012d","resourceVersion":"%d","generation":1,
"creationTimestamp":"2030-01-01T12:00:00Z",
"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"},
"managedFields":[{"manager":"kubectl","operation":"Apply"}]},
"spec":{"subject":{"kind":"Account","name":"ci"},"scopes":["certs.read"],"state":"Active","delivery":"Secret",
"displayName":"a name","description":"what it is for"},
"status":{"observedGeneration":1,"secretName":"key-%06d-api-key","keys":[{"id":"%016x","prefix":"ak_%09d",
"digest":"hmac-sha256:01234567:%016x%048d","state":"Current","issuedAt":"2030-01-01T12:00:00Z"}],
"conditions":[{"type":"Ready","status":"True","observedGeneration":1,
"lastTransitionTime":"2030-01-01T12:00:00Z","reason":"Issued",
"message":"The key is in Secret key-%06d-api-key."},
{"type":"Active","status":"True","observedGeneration":1,"lastTransitionTime":"2030-01-01T12:00:00Z",
"reason":"Accepted","message":"The key is accepted."}]}}`,
		i, i, i+100000, i, i, i, i, i, i)
}

func encodedSecret(i int) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadata","metadata":{"name":"key-%06d-api-key",
"namespace":"keys",
"uid":"6a0b9c64-64e8-4d3a-9a2c-%012d","resourceVersion":"%d","creationTimestamp":"2030-01-01T12:00:00Z",
"labels":{"app.kubernetes.io/managed-by":"keywright","keywright.dev/issued-for":"APIKey"},
"annotations":{"keywright.dev/key-id":"%016x"},"ownerReferences":[{"apiVersion":"keywright.dev/v1alpha1",
"kind":"APIKey","name":"key-%06d","uid":"5a0b9c64-64e8-4d3a-9a2c-%012d","controller":true}],
"managedFields":[{"manager":"keywright","operation":"Apply","apiVersion":"v1","time":"2030-01-01T12:00:00Z",
"fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:key":{},"f:subject":{}},
"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}},"f:labels":{"f:app.kubernetes.io/managed-by":{},"f:keywright.dev/issued-for":{}},
"f:ownerReferences":{"k:{\"uid\":\"5a0b9c64-64e8-4d3a-9a2c-%012d\"}":{}}}}}]}}`,
		i, i, i+200000, i, i, i, i)
}

// BenchmarkCachedKey measures the memory of a key and its Secret in the operator's cache, with indexes.
func BenchmarkCachedKey(b *testing.B) {
	const keys = 100_000
	var trimmer Trimmer
	for b.Loop() {
		before := liveBytes()
		objects := newIndexer(func(o any) ([]string, error) {
			return []string{keyholder.Bucket(o.(*v1alpha1.APIKey).Status.Keys[0].Digest)}, nil
		})
		secrets := newIndexer(func(o any) ([]string, error) {
			return []string{keyholder.Bucket("APIKey/" + o.(*metav1.PartialObjectMetadata).OwnerReferences[0].Name)}, nil
		})
		for i := range keys {
			add(b, objects, &v1alpha1.APIKey{}, encodedKey(i), trimmer.KeyObject)
		}
		ofKeys := liveBytes() - before
		for i := range keys {
			add(b, secrets, &metav1.PartialObjectMetadata{}, encodedSecret(i), trimmer.Secret)
		}
		ofAll := liveBytes() - before
		b.ReportMetric(float64(ofKeys)/keys, "B/APIKey")
		b.ReportMetric(float64(ofAll-ofKeys)/keys, "B/Secret")
		b.ReportMetric(float64(ofAll)/keys, "B/both")
		runtime.KeepAlive(objects)
		runtime.KeepAlive(secrets)
	}
	b.Log(unsafe.Sizeof(v1alpha1.APIKey{}), unsafe.Sizeof(metav1.PartialObjectMetadata{}),
		unsafe.Sizeof(metav1.ObjectMeta{}), unsafe.Sizeof(v1alpha1.APIKeySpec{}), unsafe.Sizeof(v1alpha1.APIKeyStatus{}))
}

func newIndexer(index cache.IndexFunc) cache.Indexer {
	return cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{
		"namespace": cache.MetaNamespaceIndexFunc,
		"by key":    index,
	})
}

// add decodes an object, trims it and adds it to a cache, as an informer does.
func add(b *testing.B, store cache.Indexer, object any, encoded []byte, trim func(any) (any, error)) {
	if err := json.Unmarshal(encoded, object); err != nil {
		b.Fatal(err)
	}
	trimmed, err := trim(object)
	if err != nil {
		b.Fatal(err)
	}
	if err := store.Add(trimmed); err != nil {
		b.Fatal(err)
	}
}

// liveBytes returns the size of the heap after a collection.
func liveBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
