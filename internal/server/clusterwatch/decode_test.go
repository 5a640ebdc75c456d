package clusterwatch

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
	restwatch "k8s.io/client-go/rest/watch"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

const (
	keyText    = `{"apiVersion":"keywright.dev/v1alpha1","kind":"APIKey","metadata":{"name":"a","resourceVersion":"7"},"spec":{"subject":{"kind":"Account","name":"ci"}}}`
	statusText = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"Expired","code":410}`
)

func newDecoder(tb testing.TB) fastDecoder {
	tb.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		tb.Fatal(err)
	}
	metav1.AddToGroupVersion(scheme, v1alpha1.SchemeGroupVersion)
	return newFastDecoder(scheme, v1alpha1.SchemeGroupVersion, keyholder.APIKey, "AccessRole", "AccessRoleBinding")
}

// read decodes a stream as client-go's watches do. It returns the events before the first error or the end.
func read(tb testing.TB, in runtime.NegotiatedSerializer, stream string) (events []watch.Event, err error) {
	tb.Helper()
	objects, serializer, framer, err := runtime.NewClientNegotiator(in,
		v1alpha1.SchemeGroupVersion).StreamDecoder(runtime.ContentTypeJSON, nil)
	if err != nil {
		tb.Fatal(err)
	}
	frames := framer.NewFrameReader(io.NopCloser(strings.NewReader(stream)))
	decoder := restwatch.NewDecoder(streaming.NewDecoder(frames, serializer), objects)
	for {
		typ, object, err := decoder.Decode()
		if err != nil {
			return events, err
		}
		events = append(events, watch.Event{Type: typ, Object: object})
	}
}

func event(typ, object string) string { return `{"type":"` + typ + `","object":` + object + "}\n" }

func TestFastDecoder_DecodesLikeClientGo(t *testing.T) {
	in := newDecoder(t)
	for name, stream := range map[string]string{
		"empty": "",
		"every type": event("ADDED", keyText) + event("MODIFIED", keyText) + event("DELETED",
			keyText) + event("BOOKMARK", keyText),
		"an error":               event("ADDED", keyText) + event("ERROR", statusText),
		"an error as ADDED":      event("ADDED", statusText),
		"an unknown type":        event("RENAMED", keyText),
		"the object first":       `{"object":` + keyText + `,"type":"ADDED"}`,
		"white space":            `{ "type": "ADDED", "object": ` + strings.ReplaceAll(keyText, ",", ",\n  ") + ` }`,
		"white space at the end": `{"type":"ADDED","object":` + keyText + " }",
		"kind before version": event("ADDED",
			`{"kind":"APIKey","apiVersion":"keywright.dev/v1alpha1","metadata":{"name":"a"}}`),
		"kind alone": event("ADDED", `{"kind":"APIKey"}`),
		"another kind": event("ADDED",
			`{"apiVersion":"keywright.dev/v1alpha1","kind":"AccessRole","metadata":{"name":"a"}}`),
		"a longer kind": event("ADDED", strings.Replace(keyText, "APIKey", "APIKeyring", 1)),
		"two kinds": event("ADDED", strings.Replace(keyText, `"kind":"APIKey",`,
			`"kind":"APIKey","kind":"AccessRole",`, 1)),
		"another version":       event("ADDED", strings.Replace(keyText, "v1alpha1", "v1", 1)),
		"field in another case": event("ADDED", strings.Replace(keyText, "metadata", "Metadata", 1)),
		"another type":          event("ADDED", strings.Replace(keyText, `{"name":"a","resourceVersion":"7"}`, `"a"`, 1)),
		"no object":             `{"type":"ADDED"}`,
		"null":                  event("ADDED", "null"),
		"a field after it":      `{"type":"ADDED","object":` + keyText + `,"more":1}`,
		"cut off":               event("ADDED", keyText) + event("ADDED", keyText)[:60],
		"not JSON":              "no\n",
	} {
		t.Run(name, func(t *testing.T) {
			want, wantErr := read(t, in.NegotiatedSerializer, stream)
			got, err := read(t, in, stream)
			if name == "a field after it" {
				// The API server never sends that. An error restarts the watch.
				want, wantErr = nil, io.ErrUnexpectedEOF
			}
			if !reflect.DeepEqual(got, want) || errors.Is(err, io.EOF) != errors.Is(wantErr, io.EOF) {
				t.Errorf("%v, %v; want %v, %v", got, err, want, wantErr)
			}
		})
	}
}

// Every event that is decoded is the one that client-go decodes.
func FuzzWatch(f *testing.F) {
	in := newDecoder(f)
	f.Add(event("ADDED", keyText) + event("BOOKMARK", keyText))
	f.Add(event("ERROR", statusText))
	f.Add(`{"type":"ADDED","object":` + keyText + `,"more":{}}`)
	f.Fuzz(func(t *testing.T, stream string) {
		got, _ := read(t, in, stream)
		want, _ := read(t, in.NegotiatedSerializer, stream)
		if len(got) > len(want) || !reflect.DeepEqual(got, want[:len(got):len(got)]) && len(got) > 0 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// decodesRealEvents checks that the events of a real API server are not left to client-go.
func decodesRealEvents(c *cluster, t *testing.T) {
	own, err := restClient(c.server(t), "/apis", newDecoder(t))
	if err != nil {
		t.Fatal(err)
	}
	c.create(role("reader", v1alpha1.AccessRoleSpec{}))
	c.create(binding("readers", "reader", "alice"))
	c.issue("read", ci, nil)
	for resource, example := range map[string]runtime.Object{"apikeys": &v1alpha1.APIKey{},
		"accessroles": &v1alpha1.AccessRole{}, "accessrolebindings": &v1alpha1.AccessRoleBinding{}} {
		options := metav1.ListOptions{Watch: true, ResourceVersion: "0"}
		stream, err := own.Get().Resource(resource).VersionedParams(&options, metav1.ParameterCodec).Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(stream).ReadBytes('\n')
		_ = stream.Close()
		if err != nil {
			t.Fatal(err)
		}
		object, found := objectOf(bytes.TrimSpace(line), watch.Added)
		read, _, err := objectDecoder{nil, newDecoder(t).prefixes}.Decode(object, nil, nil)
		if !found || err != nil || reflect.TypeOf(read) != reflect.TypeOf(example) {
			t.Errorf("%s: %t, %v: %s", resource, found, err, line)
		}
	}
}
