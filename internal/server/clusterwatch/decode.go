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

// fastDecoder decodes a watch with half the work of client-go, which parses each event and its object twice to find out
// their types first. Decoding is nearly all of the work of filling an index with 100,000 keys. The API server begins
// every event and object in the same few ways, so the first bytes are enough; client-go decodes everything else.
type fastDecoder struct {
	runtime.NegotiatedSerializer
	version  schema.GroupVersion
	prefixes []objectPrefix
}

// objectPrefix is how the JSON of an object of one kind begins.
type objectPrefix struct {
	text    []byte
	kind    schema.GroupVersionKind
	creates func(schema.GroupVersionKind) (runtime.Object, error)
}

// newFastDecoder returns a decoder of objects of these kinds, all of one version.
func newFastDecoder(scheme *runtime.Scheme, version schema.GroupVersion, kinds ...string) fastDecoder {
	d := fastDecoder{NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion(), version: version}
	for _, kind := range kinds {
		text := `{"apiVersion":"` + version.String() + `","kind":"` + kind + `",`
		d.prefixes = append(d.prefixes, objectPrefix{[]byte(text), version.WithKind(kind), scheme.New})
	}
	return d
}

// SupportedMediaTypes implements runtime.NegotiatedSerializer.
func (d fastDecoder) SupportedMediaTypes() []runtime.SerializerInfo {
	types := slices.Clone(d.NegotiatedSerializer.SupportedMediaTypes())
	for i := range types {
		if t := &types[i]; t.MediaType == runtime.ContentTypeJSON {
			stream := *t.StreamSerializer
			stream.Serializer = eventDecoder{stream.Serializer}
			t.Serializer, t.StreamSerializer = objectDecoder{t.Serializer, d.prefixes}, &stream
		}
	}
	return types
}

// eventDecoder decodes the events of a watch.
type eventDecoder struct{ runtime.Serializer }

// Decode implements runtime.Decoder.
func (e eventDecoder) Decode(
	data []byte, defaults *schema.GroupVersionKind, into runtime.Object,
) (runtime.Object, *schema.GroupVersionKind, error) {
	if event, ok := into.(*metav1.WatchEvent); ok {
		for _, kind := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted, watch.Bookmark} {
			if object, found := objectOf(data, kind); found {
				// The object is decoded before the buffer is used for the next event.
				event.Type, event.Object.Raw = string(kind), object
				return event, nil, nil
			}
		}
	}
	return e.Serializer.Decode(data, defaults, into)
}

// objectOf returns the object in an event. data is the JSON of one value, so the result is either exactly the object,
// or not JSON.
func objectOf(data []byte, kind watch.EventType) (object []byte, found bool) {
	object, found = bytes.CutPrefix(data, []byte(`{"type":"`+string(kind)+`","object":`))
	if !found {
		return nil, false
	}
	return bytes.CutSuffix(object, []byte("}"))
}

// objectDecoder decodes the objects in events.
type objectDecoder struct {
	runtime.Serializer
	prefixes []objectPrefix
}

// Decode implements runtime.Decoder.
func (o objectDecoder) Decode(
	data []byte, defaults *schema.GroupVersionKind, into runtime.Object,
) (runtime.Object, *schema.GroupVersionKind, error) {
	for i := range o.prefixes {
		p := &o.prefixes[i]
		if into != nil || !bytes.HasPrefix(data, p.text) {
			continue
		}
		object, err := p.creates(p.kind)
		if err == nil && json.Unmarshal(data, object) == nil && object.GetObjectKind().GroupVersionKind() == p.kind {
			return object, &p.kind, nil
		}
	}
	return o.Serializer.Decode(data, defaults, into)
}
