package versions

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
)

// everything is the limit of a run that nothing interrupts.
const everything = -1

// migration is what the operator of a later release does to objects that are stored. A run with a limit stops after
// that many objects, as an operator does that is killed; another run begins at the beginning. Each returns how many
// objects it has changed in etcd.
type migration struct {
	client dynamic.Interface
}

// rewrite stores objects in the version that is stored now: it writes them without a change.
func (m migration) rewrite(ctx context.Context, objects []object, limit int) int {
	GinkgoHelper()
	return m.patch(ctx, objects, limit, func(object) (map[string]any, bool) { return map[string]any{}, true })
}

// rewriteManagers moves the field managers of objects to v1beta1.
func (m migration) rewriteManagers(ctx context.Context, objects []object, limit int) int {
	GinkgoHelper()
	return m.patch(ctx, objects, limit, func(o object) (map[string]any, bool) {
		moved, changed, err := moveManagers(o.GetManagedFields())
		Expect(err).NotTo(HaveOccurred())
		return map[string]any{"managedFields": moved}, changed
	})
}

// moveOwners moves the owner references of Secrets to v1beta1. A merge patch by the operator's own field manager leaves
// it the manager of the data; an apply would need the plaintext.
func (m migration) moveOwners(ctx context.Context, secrets []object, limit int) int {
	GinkgoHelper()
	return m.patch(ctx, secrets, limit, func(secret object) (map[string]any, bool) {
		owners, changed := secret.GetOwnerReferences(), false
		for i := range owners {
			if owners[i].APIVersion == version(alpha).String() {
				owners[i].APIVersion, changed = version(beta).String(), true
			}
		}
		return map[string]any{"ownerReferences": owners}, changed
	})
}

// patch merges metadata into each object that needs it, on the version of the object that the change was made from. It
// reads an object again that another writer has changed since.
func (m migration) patch(
	ctx context.Context, objects []object, limit int, change func(object) (metadata map[string]any, changed bool),
) (written int) {
	GinkgoHelper()
	if limit == everything {
		limit = len(objects)
	}
	for _, o := range objects[:limit] {
		Eventually(ctx, func() error {
			metadata, changed := change(o)
			if !changed {
				return nil
			}
			metadata["resourceVersion"] = o.GetResourceVersion()
			patch, err := json.Marshal(map[string]any{"metadata": metadata})
			if err != nil {
				return err
			}
			client := m.client.Resource(o.resource).Namespace(o.GetNamespace())
			stored, err := client.Patch(ctx, o.GetName(), types.MergePatchType, patch,
				metav1.PatchOptions{FieldManager: v1alpha1.FieldManager})
			if apierrors.IsConflict(err) {
				o.Unstructured, _ = client.Get(ctx, o.GetName(), metav1.GetOptions{})
			}
			if err == nil && stored.GetResourceVersion() != o.GetResourceVersion() {
				written++
			}
			return err
		}).Should(Succeed(), o.GetName())
	}
	return written
}

// setStoredVersions records in the CRD that every object is stored in one version.
func (m migration) setStoredVersions(ctx context.Context, c crd, name string) {
	GinkgoHelper()
	crds := m.client.Resource(crdResource)
	current, err := crds.Get(ctx, c.GetName(), metav1.GetOptions{})
	Expect(err).NotTo(HaveOccurred())
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": current.GetResourceVersion()},
		"status":   map[string]any{"storedVersions": []string{name}},
	})
	Expect(err).NotTo(HaveOccurred())
	_, err = crds.Patch(ctx, c.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	Expect(err).NotTo(HaveOccurred())
}

// object is an object with the resource that it was read from.
type object struct {
	*unstructured.Unstructured
	resource schema.GroupVersionResource
}

var (
	crdResource = schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	secretResource = corev1.SchemeGroupVersion.WithResource("secrets")
)

func version(name string) schema.GroupVersion {
	return schema.GroupVersion{Group: v1alpha1.SchemeGroupVersion.Group, Version: name}
}

// moveManagers returns the entries with v1beta1 in the place of v1alpha1, and whether that is a change. Both versions
// have the same fields. The API server identifies the manager of an update by name and version: where one has written
// at both versions, the two entries become one, because of two equal managers only the last would count.
func moveManagers(entries []metav1.ManagedFieldsEntry) (moved []metav1.ManagedFieldsEntry, changed bool, err error) {
	for _, entry := range entries {
		group, name, _ := strings.Cut(entry.APIVersion, "/")
		if name == alpha {
			entry.APIVersion, changed = group+"/"+beta, true
		}
		same := sameManager(moved, &entry)
		if same == nil {
			moved = append(moved, entry)
			continue
		}
		if same.FieldsV1, err = union(same.FieldsV1, entry.FieldsV1); err != nil {
			return nil, false, err
		}
	}
	return moved, changed, nil
}

// sameManager returns the entry of the same manager, or nil.
func sameManager(entries []metav1.ManagedFieldsEntry, as *metav1.ManagedFieldsEntry) *metav1.ManagedFieldsEntry {
	for i := range entries {
		e := &entries[i]
		if e.Manager == as.Manager && e.Operation == as.Operation && e.Subresource == as.Subresource &&
			e.APIVersion == as.APIVersion {
			return e
		}
	}
	return nil
}

// union returns the fields of both.
func union(a, b *metav1.FieldsV1) (*metav1.FieldsV1, error) {
	all := fieldpath.NewSet()
	for _, fields := range []*metav1.FieldsV1{a, b} {
		set := fieldpath.NewSet()
		if err := set.FromJSON(bytes.NewReader(fields.GetRawBytes())); err != nil {
			return nil, err
		}
		all = all.Union(set)
	}
	raw, err := all.ToJSON()
	return metav1.NewFieldsV1(string(raw)), err
}

func TestMoveManagers_JoinsEntriesOfOneManager(t *testing.T) {
	entry := func(manager, subresource, at, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate,
			Subresource: subresource, APIVersion: at, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
	}
	old, now := version(alpha).String(), version(beta).String()
	status := `{"f:status":{"f:secretName":{}}}`
	moved, changed, err := moveManagers([]metav1.ManagedFieldsEntry{
		entry("keywright", "", old, `{"f:metadata":{"f:finalizers":{}}}`),
		entry("keywright", "status", now, `{"f:status":{"f:usage":{}}}`),
		entry("kubectl", "status", now, status),
		entry("keywright", "status", old, status),
	})
	want := []metav1.ManagedFieldsEntry{
		entry("keywright", "", now, `{"f:metadata":{"f:finalizers":{}}}`),
		entry("keywright", "status", now, `{"f:status":{"f:secretName":{},"f:usage":{}}}`),
		entry("kubectl", "status", now, status),
	}
	if err != nil || !changed || !equality.Semantic.DeepEqual(moved, want) {
		t.Error(moved, changed, err)
	}
	if again, changed, err := moveManagers(moved); err != nil || changed || !equality.Semantic.DeepEqual(again, want) {
		t.Error("the second time:", again, changed, err)
	}
}
