package archive_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"keywright.dev/keywright/internal/cli/cluster/archive"
)

// stored is an object as an API server returns it.
func stored() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "keywright.dev/v1alpha1", "kind": "APIKey",
		"metadata": map[string]any{
			"name": "ci", "namespace": "team", "uid": "1", "resourceVersion": "2", "generation": int64(7),
			"labels": map[string]any{"a": "b"}, "annotations": map[string]any{"c": "<d>"},
			"ownerReferences": []any{map[string]any{"uid": "3"}}, "finalizers": []any{"keywright.dev/keep-secret"},
			"creationTimestamp": "2030-01-01T00:00:00Z", "managedFields": []any{map[string]any{}},
		},
		"spec": map[string]any{"subject": map[string]any{"kind": "User", "name": "alice"}},
		"status": map[string]any{
			"observedGeneration": int64(7), "owner": map[string]any{"id": "a-user"},
			"keys":       []any{map[string]any{"id": "0123", "digest": "hmac-sha256:a:b", "state": "Current"}},
			"conditions": []any{map[string]any{"type": "Ready", "observedGeneration": int64(7)}},
		},
	}}
}

func encoded(t *testing.T) string {
	t.Helper()
	return encode(t, stored())
}

func encode(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	a := archive.Archive{Head: archive.Head{
		CreatedAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Cluster: "c", SystemNamespace: "keywright-system",
	}}
	a.Items = append(a.Items, archive.Strip(o))
	text, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestArchive_ReadsWhatItWrote(t *testing.T) {
	text := encoded(t)
	a, err := archive.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if a.Cluster != "c" || a.SystemNamespace != "keywright-system" || len(a.Items) != 1 {
		t.Errorf("%+v", a)
	}
	item := a.Items[0]
	if !archive.SameContent(item, stored()) || !archive.SameRecord(item, stored()) {
		t.Errorf("%v", item.Object)
	}
	for _, local := range []string{
		"uid", "resourceVersion", "ownerReferences", "finalizers", "managedFields", "creation",
	} {
		if strings.Contains(text, local) {
			t.Errorf("the file has %s:\n%s", local, text)
		}
	}
	// kubectl takes the file as well.
	var list struct{ APIVersion, Kind string }
	if err := json.Unmarshal([]byte(text), &list); err != nil || list.Kind != "List" || list.APIVersion != "v1" {
		t.Error(list, err)
	}
}

func TestDecode_RefusesWhatIsNotWhole(t *testing.T) {
	text, foreign := encoded(t), stored()
	foreign.SetKind("ClusterRoleBinding")
	for end := range len(text) - 2 {
		if _, err := archive.Decode([]byte(text[:end])); err == nil {
			t.Fatalf("accepts the first %d bytes", end)
		}
	}
	for name, c := range map[string]struct{ text, says string }{
		"empty":           {"", "not a complete backup"},
		"not JSON":        {"\xff\x00", "not a complete backup"},
		"a manifest":      {`{"apiVersion":"v1","kind":"Secret","items":[]}`, "not a backup"},
		"a List":          {`{"apiVersion":"v1","kind":"List","items":[]}`, "not a backup"},
		"null":            {"null", "not a backup"},
		"another kind":    {encode(t, foreign), "not a backup"},
		"a later format":  {strings.Replace(text, `"format": 1`, `"format": 2`, 1), "format 2"},
		"an edited key":   {strings.Replace(text, `"0123"`, `"0124"`, 1), "damaged, or was edited"},
		"an added object": {strings.Replace(text, `"items": [`, `"items": [{},`, 1), "damaged, or was edited"},
	} {
		if _, err := archive.Decode([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A status that described the spec describes it in the new object, too. A status from before an edit does not.
func TestDescribing_FollowsTheGeneration(t *testing.T) {
	for _, c := range []struct{ generation, observed, want int64 }{{7, 7, 1}, {7, 6, 6}} {
		item := archive.Strip(stored())
		item.SetGeneration(c.generation)
		_ = unstructured.SetNestedField(item.Object, c.observed, "status", "observedGeneration")
		_ = unstructured.SetNestedSlice(item.Object,
			[]any{map[string]any{"type": "Ready", "observedGeneration": c.observed}}, "status", "conditions")
		status := archive.Describing(item, 1)
		conditions, _, _ := unstructured.NestedSlice(status, "conditions")
		if status["observedGeneration"] != c.want || conditions[0].(map[string]any)["observedGeneration"] != c.want {
			t.Errorf("generation %d, observed %d: %v", c.generation, c.observed, status)
		}
	}
}

// without removes a field, and with changes one.
func without(field ...string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) { unstructured.RemoveNestedField(o.Object, field...) }
}

func with(field ...string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) { _ = unstructured.SetNestedField(o.Object, "other", field...) }
}

func TestSame_ComparesWhatCounts(t *testing.T) {
	for name, c := range map[string]struct {
		edit            func(o *unstructured.Unstructured)
		content, record bool
	}{
		"nothing":    {func(*unstructured.Unstructured) {}, true, true},
		"metadata":   {func(o *unstructured.Unstructured) { o.SetUID("9"); o.SetLabels(nil) }, true, true},
		"conditions": {without("status", "conditions"), true, true},
		"a key":      {without("status", "keys"), true, false},
		"the owner":  {with("status", "owner", "id"), true, false},
		"the spec":   {with("spec", "subject", "name"), false, true},
	} {
		o := stored()
		c.edit(o)
		if archive.SameContent(o, stored()) != c.content || archive.SameRecord(o, stored()) != c.record {
			t.Errorf("%s: content %v, record %v", name, archive.SameContent(o, stored()), archive.SameRecord(o, stored()))
		}
	}
	none := stored()
	none.Object["status"] = map[string]any{"observedGeneration": int64(1)}
	if archive.HasRecord(none) || !archive.HasRecord(stored()) {
		t.Error("a record is a key, or whose it is")
	}
}
