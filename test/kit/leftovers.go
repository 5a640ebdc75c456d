package kit

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/test/stack"
)

// Leftovers returns every object in the cluster whose metadata or kind names Keywright, by their NameOf.
func Leftovers(ctx context.Context, plane *stack.ControlPlane) ([]string, error) {
	objects, err := Objects(ctx, plane)
	var left []string
	for i := range objects {
		if o := &objects[i]; namesKeywright(o) {
			left = append(left, NameOf(o))
		}
	}
	slices.Sort(left)
	return left, err
}

// NameOf returns an object as "Kind namespace/name", or "Kind name".
func NameOf(o client.Object) string {
	return o.GetObjectKind().GroupVersionKind().Kind + " " +
		strings.TrimPrefix(client.ObjectKeyFromObject(o).String(), "/")
}

func namesKeywright(o *unstructured.Unstructured) bool {
	metadata, _, _ := unstructured.NestedMap(o.Object, "metadata")
	delete(metadata, "managedFields")
	text, err := json.Marshal(metadata)
	return err != nil || strings.Contains(string(text)+o.GetAPIVersion(), "keywright")
}

// Objects returns every object in the cluster, but for events, which expire, and the deprecated Endpoints. A kind that
// is being removed meanwhile has no objects.
func Objects(ctx context.Context, plane *stack.ControlPlane) ([]unstructured.Unstructured, error) {
	kinds, err := listable(plane)
	if err != nil {
		return nil, err
	}
	var all []unstructured.Unstructured
	for _, kind := range kinds {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := plane.Client.List(ctx, list); client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
			return nil, err
		}
		all = append(all, list.Items...)
	}
	return all, nil
}

// listable returns the preferred version of every kind that can be listed and deleted.
func listable(plane *stack.ControlPlane) (kinds []schema.GroupVersionKind, err error) {
	disco, err := discovery.NewDiscoveryClientForConfig(plane.Admin)
	if err != nil {
		return nil, err
	}
	lists, err := disco.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for i := range list.APIResources {
			if r := &list.APIResources[i]; deletable(r) {
				kinds = append(kinds, version.WithKind(r.Kind))
			}
		}
	}
	return kinds, nil
}

func deletable(r *metav1.APIResource) bool {
	return slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") &&
		!slices.Contains([]string{"Event", "Endpoints"}, r.Kind)
}
