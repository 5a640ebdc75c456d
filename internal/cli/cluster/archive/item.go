package archive

import (
	"maps"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kept are the fields of metadata in a file. Everything else, such as uid and ownerReferences, is about one cluster. By
// the generation a reader knows whether the status describes the spec; an API server sets its own.
var kept = []string{"name", "namespace", "labels", "annotations", "generation"}

// Strip returns an object without what is about its cluster.
func Strip(o *unstructured.Unstructured) *unstructured.Unstructured {
	stripped := &unstructured.Unstructured{Object: maps.Clone(o.Object)}
	metadata, _, _ := unstructured.NestedMap(o.Object, "metadata")
	found := map[string]any{}
	for _, name := range kept {
		if value, has := metadata[name]; has {
			found[name] = value
		}
	}
	stripped.Object["metadata"] = found
	return stripped
}

// Parts returns the object to create, and its status. The status is nil if nothing was recorded.
func Parts(item *unstructured.Unstructured) (object *unstructured.Unstructured, status map[string]any) {
	object = item.DeepCopy()
	status, _, _ = unstructured.NestedMap(object.Object, "status")
	unstructured.RemoveNestedField(object.Object, "status")
	unstructured.RemoveNestedField(object.Object, "metadata", "generation")
	if len(status) == 0 {
		return object, nil
	}
	return object, status
}

// Describing returns the status of an item for an object of this generation. A status that described the spec of the
// item describes that of the object.
func Describing(item *unstructured.Unstructured, generation int64) map[string]any {
	_, status := Parts(item)
	observed, has, _ := unstructured.NestedInt64(status, "observedGeneration")
	if !has || observed != item.GetGeneration() {
		return status
	}
	status["observedGeneration"] = generation
	conditions, _, _ := unstructured.NestedSlice(status, "conditions")
	for _, condition := range conditions {
		if fields, isMap := condition.(map[string]any); isMap && fields["observedGeneration"] == observed {
			fields["observedGeneration"] = generation
		}
	}
	if conditions != nil {
		status["conditions"] = conditions
	}
	return status
}

// recorded are the fields of a status that say which keys are accepted and whose they are.
var recorded = []string{"id", "owner", "keys", "revokedDigests"}

// HasRecord reports whether a status says anything about keys.
func HasRecord(o *unstructured.Unstructured) bool {
	status, _, _ := unstructured.NestedMap(o.Object, "status")
	for _, field := range recorded {
		if _, has := status[field]; has {
			return true
		}
	}
	return false
}

// SameContent reports whether two objects ask for the same: everything but metadata and status is equal.
func SameContent(a, b *unstructured.Unstructured) bool {
	return equality.Semantic.DeepEqual(content(a), content(b))
}

func content(o *unstructured.Unstructured) map[string]any {
	fields := maps.Clone(o.Object)
	for _, name := range []string{"metadata", "status", "apiVersion", "kind"} {
		delete(fields, name)
	}
	return fields
}

// SameRecord reports whether two objects record the same keys of the same user.
func SameRecord(a, b *unstructured.Unstructured) bool {
	first, _, _ := unstructured.NestedMap(a.Object, "status")
	second, _, _ := unstructured.NestedMap(b.Object, "status")
	for _, field := range recorded {
		if !equality.Semantic.DeepEqual(first[field], second[field]) {
			return false
		}
	}
	return true
}
