package cachetrim

import (
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
)

func entry(manager, fields string) metav1.ManagedFieldsEntry {
	f := &metav1.FieldsV1{}
	f.SetRawBytes([]byte(fields))
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, Time: new(metav1.Now()), FieldsV1: f,
	}
}

// contentsOfAll is the same for Secrets with the same further entries.
const contentsOfAll = "example.com/token key 0123456789abcdef"

func secretOf(uid string) *metav1.PartialObjectMetadata {
	s := &metav1.PartialObjectMetadata{}
	s.Name, s.Namespace, s.UID = "s-"+uid, "ns", "uid-of-secret"
	s.Labels = map[string]string{"keywright.dev/issued-for": "APIKey", "app.kubernetes.io/managed-by": "keywright"}
	s.Annotations = map[string]string{"keywright.dev/key-id": uid, "keywright.dev/contents": contentsOfAll,
		"kubectl.kubernetes.io/last-applied-configuration": "{}"}
	s.OwnerReferences = []metav1.OwnerReference{{APIVersion: "keywright.dev/v1alpha1", Kind: "APIKey", Name: uid}}
	s.ManagedFields = []metav1.ManagedFieldsEntry{
		entry("keywright", `{"f:data":{"f:key":{},"f:subject":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}},`+
			`"f:labels":{"f:keywright.dev/issued-for":{}},"f:ownerReferences":{"k:{\"uid\":\"`+uid+`\"}":{}}},"f:type":{}}`),
		entry("kubectl", `{"f:metadata":{"f:labels":{"f:team":{}}}}`),
	}
	return s
}

func TestSecret_KeepsFieldsThatDecisionsNeed(t *testing.T) {
	var trimmer Trimmer
	object, err := trimmer.Secret(secretOf("a"))
	if err != nil {
		t.Fatal(err)
	}
	got := object.(*metav1.PartialObjectMetadata)
	if len(got.ManagedFields) != 1 || got.ManagedFields[0].Manager != "keywright" {
		t.Fatalf("managed fields %v", got.ManagedFields)
	}
	fields := fieldpath.NewSet()
	if err := fields.FromJSON(strings.NewReader(got.ManagedFields[0].FieldsV1.GetRawString())); err != nil {
		t.Fatal(err)
	}
	for _, path := range []fieldpath.Path{
		fieldpath.MakePathOrDie("data", "key"), fieldpath.MakePathOrDie("data", "subject"),
		fieldpath.MakePathOrDie("metadata", "annotations", "keywright.dev/key-id"),
		fieldpath.MakePathOrDie("metadata", "labels", "keywright.dev/issued-for"), fieldpath.MakePathOrDie("type"),
	} {
		if !fields.Has(path) {
			t.Errorf("%s is missing in %s", path, fields)
		}
	}
	if len(got.Annotations) != 1 || got.Annotations["keywright.dev/contents"] != contentsOfAll ||
		KeyID(got) != "a" || KeyID(secretOf("a")) != "a" ||
		got.OwnerReferences[0].Name != "a" || got.Labels["keywright.dev/issued-for"] != "APIKey" {
		t.Errorf("got %+v", got.ObjectMeta)
	}
}

func TestSecret_SharesEqualParts(t *testing.T) {
	var trimmer Trimmer
	var both [2]*metav1.PartialObjectMetadata
	for i, uid := range []string{"a", "b"} {
		object, err := trimmer.Secret(secretOf(uid))
		if err != nil {
			t.Fatal(err)
		}
		both[i] = object.(*metav1.PartialObjectMetadata)
	}
	if &both[0].ManagedFields[0] != &both[1].ManagedFields[0] {
		t.Error("each has its own managed fields")
	}
	both[0].Labels["proof"] = "shared"
	if both[1].Labels["proof"] != "shared" {
		t.Error("each has its own labels")
	}
	both[0].Annotations["proof"] = "shared"
	if both[1].Annotations["proof"] != "shared" {
		t.Error("each has its own annotations")
	}
}

func TestKeyObject_KeepsFieldsThatDecisionsNeed(t *testing.T) {
	key := &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "ci", UID: "u", ResourceVersion: "7", Generation: 3, Finalizers: []string{"f"},
			Annotations: map[string]string{
				"keywright.dev/rotate": "now", "kubectl.kubernetes.io/last-applied-configuration": "{}",
			},
			ManagedFields: []metav1.ManagedFieldsEntry{entry("kubectl", `{}`)},
		},
		Spec: v1alpha1.APIKeySpec{
			DisplayName: "d", Description: "d", Category: "c", Subject: v1alpha1.Subject{Kind: "Account", Name: "ci"},
			Scopes: []v1alpha1.Scope{"a.b"}, Roles: []v1alpha1.RoleName{"r"}, Policy: &v1alpha1.Policy{},
			TTL: new(v1alpha1.Duration("1h")),
		},
	}
	key.Status.Conditions = []metav1.Condition{
		{Type: "Ready", Reason: "Issued", Message: "The key is in Secret ci-api-key."},
	}
	key.Status.Keys = []v1alpha1.KeyStatus{{ID: "id", Digest: "digest"}}
	want := key.DeepCopy()
	want.ManagedFields, want.Spec.DisplayName, want.Spec.Description, want.Spec.Category = nil, "", "", ""
	want.Spec.Scopes, want.Spec.Policy = nil, nil
	delete(want.Annotations, "kubectl.kubernetes.io/last-applied-configuration")
	var trimmer Trimmer
	object, err := trimmer.KeyObject(key)
	if err != nil {
		t.Fatal(err)
	}
	if got := object.(*v1alpha1.APIKey); !equality.Semantic.DeepEqual(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestTrimmer_LeavesOtherTypesAlone(t *testing.T) {
	var trimmer Trimmer
	for _, transform := range []func(any) (any, error){trimmer.KeyObject, trimmer.Secret} {
		if got, err := transform("tombstone"); got != "tombstone" || err != nil {
			t.Errorf("%v, %v", got, err)
		}
	}
}

func TestInterner_IsBounded(t *testing.T) {
	var texts interner[string]
	for i := range 3 * maxInterned {
		name := strings.Repeat("x", 1+i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26%50) + string(rune(i))
		texts.get(name, func() string { return name })
		if len(texts.shared) > maxInterned {
			t.Fatalf("%d are shared", len(texts.shared))
		}
	}
}

// At the start of a watch every object is trimmed twice. The second time its maps are shared with other readers.
func TestTrimmer_DoesNotWriteSharedMaps(t *testing.T) {
	var trimmer Trimmer
	annotated := func() *v1alpha1.APIKey {
		key := &v1alpha1.APIKey{}
		key.Annotations = map[string]string{"team": "a", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
		return key
	}
	cached, incoming := annotated(), annotated()
	for _, key := range []*v1alpha1.APIKey{cached, incoming} {
		if _, err := trimmer.KeyObject(key); err != nil {
			t.Fatal(err)
		}
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for range 1000 {
			if len(cached.Annotations) != 1 || cached.Annotations["team"] != "a" {
				t.Error("the annotations changed")
				return
			}
		}
	})
	for range 1000 {
		if _, err := trimmer.KeyObject(incoming); err != nil {
			t.Fatal(err)
		}
	}
	reading.Wait()
}

// Trimming twice changes nothing: client-go does so.
func TestKeyObject_SharesAppliedDefaults(t *testing.T) {
	var trimmer Trimmer
	trimmed := func(overlap v1alpha1.Duration) *v1alpha1.Effective {
		k := &v1alpha1.APIKey{}
		k.Status.Effective = &v1alpha1.Effective{TTL: "24h", TTLFrom: "spec.ttl", Overlap: overlap}
		for range 2 {
			if _, err := trimmer.KeyObject(k); err != nil {
				t.Fatal(err)
			}
		}
		return k.Status.Effective
	}
	one, same, other := trimmed("1h"), trimmed("1h"), trimmed("2h")
	if one != same || one == other || one.Overlap != "1h" || other.Overlap != "2h" || one.TTLFrom != "spec.ttl" {
		t.Errorf("%p %+v, %p, %p %+v", one, one, same, other, other)
	}
	without := &v1alpha1.APIKey{}
	if _, err := trimmer.KeyObject(without); err != nil || without.Status.Effective != nil {
		t.Error(err, without.Status.Effective)
	}
}
