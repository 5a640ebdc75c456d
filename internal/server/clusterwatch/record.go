package clusterwatch

import (
	"log/slog"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/server/revocations"
)

// record is what the index needs of an object with keys.
type record struct {
	id     verify.ID
	holder verify.KeyObject
}

// GetObjectMeta lets the reflector keep records by name.
func (r *record) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: r.id.Namespace, Name: r.id.Name}
}

// holders puts one kind of objects with keys into the index.
type holders struct {
	index *verify.Index
	kind  string
	// namespace is the one that is watched; empty: all.
	namespace string
	// translate reads an object as it comes from the API server.
	translate func(object any) *record
	// revocations may be nil.
	revocations *revocations.Publisher
	// filled says that everything has been seen once.
	filled bool
}

func (h *holders) condense(object any) (any, error) { return h.record(object), nil }

func (h *holders) put(object any) {
	r := h.record(object)
	h.end(h.index.Put(r.id, r.holder))
}

func (h *holders) remove(object any) { h.end(h.index.Delete(h.record(object).id)) }

func (h *holders) end(keys []pepper.Digest) {
	if h.filled {
		h.revocations.Publish(keys)
	}
}

func (h *holders) replace(objects []any) {
	ended := h.index.Replace(h.kind, h.namespace, func(yield func(verify.ID, verify.KeyObject) bool) {
		for _, object := range objects {
			if r := h.record(object); !yield(r.id, r.holder) {
				return
			}
		}
	})
	h.end(ended)
	h.filled = true
}

func (h *holders) record(object any) *record {
	if r, done := object.(*record); done {
		return r
	}
	return h.translate(object)
}

// keyObject reads an object. An unreadable entry of its record was not written by Keywright; the other keys count.
func keyObject(o keyholder.Object, log *slog.Logger) verify.KeyObject {
	object, unreadable := convert.KeyObject(o)
	for _, i := range unreadable {
		log.Warn("A recorded key can't be read and is ignored", "key", i)
	}
	return object
}
