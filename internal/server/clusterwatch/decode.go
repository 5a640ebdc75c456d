package clusterwatch

import (
	"bytes"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"
)

// swift reads what a watch sends with half the work of client-go, which reads each event, and then its object, once more
// beforehand to find out of what kind they are. To fill an index of 100,000 keys is little else than that. The API server
// begins all of them in the same few ways, so a look at the beginning will do. What begins otherwise is left to client-go.
type swift struct {
	runtime.NegotiatedSerializer
	version    schema.GroupVersion
	beginnings []beginning
}

// beginning is how the JSON of an object of one kind begins.
type beginning struct {
	text    []byte
	kind    schema.GroupVersionKind
	creates func(schema.GroupVersionKind) (runtime.Object, error)
}

// newSwift is for objects of these kinds, all of one version.
func newSwift(scheme *runtime.Scheme, version schema.GroupVersion, kinds ...string) swift {
	s := swift{NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion(), version: version}
	for _, kind := range kinds {
		text := `{"apiVersion":"` + version.String() + `","kind":"` + kind + `",`
		s.beginnings = append(s.beginnings, beginning{[]byte(text), version.WithKind(kind), scheme.New})
	}
	return s
}

// SupportedMediaTypes is part of runtime.NegotiatedSerializer.
func (s swift) SupportedMediaTypes() []runtime.SerializerInfo {
	types := slices.Clone(s.NegotiatedSerializer.SupportedMediaTypes())
	for i := range types {
		if t := &types[i]; t.MediaType == runtime.ContentTypeJSON {
			stream := *t.StreamSerializer
			stream.Serializer = events{stream.Serializer}
			t.Serializer, t.StreamSerializer = objects{t.Serializer, s.beginnings}, &stream
		}
	}
	return types
}

// events reads those of a watch.
type events struct{ runtime.Serializer }

// Decode is part of runtime.Decoder.
func (e events) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if event, is := into.(*metav1.WatchEvent); is {
		for _, kind := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted, watch.Bookmark} {
			if object, found := objectOf(data, kind); found {
				// It is read before the next event takes its place.
				event.Type, event.Object.Raw = string(kind), object
				return event, nil, nil
			}
		}
	}
	return e.Serializer.Decode(data, defaults, into)
}

// objectOf cuts the object out of an event. data is the JSON of one value; so what is cut out is either its object alone,
// or no JSON.
func objectOf(data []byte, kind watch.EventType) (object []byte, found bool) {
	object, found = bytes.CutPrefix(data, []byte(`{"type":"`+string(kind)+`","object":`))
	if !found {
		return nil, false
	}
	return bytes.CutSuffix(object, []byte("}"))
}

// objects reads those in events.
type objects struct {
	runtime.Serializer
	beginnings []beginning
}

// Decode is part of runtime.Decoder.
func (o objects) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	for i := range o.beginnings {
		b := &o.beginnings[i]
		if into != nil || !bytes.HasPrefix(data, b.text) {
			continue
		}
		object, err := b.creates(b.kind)
		if err == nil && json.Unmarshal(data, object) == nil && object.GetObjectKind().GroupVersionKind() == b.kind {
			return object, &b.kind, nil
		}
	}
	return o.Serializer.Decode(data, defaults, into)
}
