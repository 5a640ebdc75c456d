package issuer

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// owns returns an entry of managedFields: the fields that the API server attributes to a manager.
func owns(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager:   manager,
		Operation: metav1.ManagedFieldsOperationApply,
		FieldsV1:  metav1.NewFieldsV1(fields),
	}
}

const wholeSecret = `{"f:data":{"f:key":{},"f:username":{}},` +
	`"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}},"f:labels":{"f:keywright.dev/issued-for":{}}}}`

func TestOwnedFields(t *testing.T) {
	owned := func(entries ...metav1.ManagedFieldsEntry) *fieldpath.Set { return cachetrim.Owned(entries) }
	keyPath := fieldpath.MakePathOrDie("data", "key")
	for name, c := range map[string]struct {
		owned       *fieldpath.Set
		key, marked bool
	}{
		"nothing":                 {owned(), false, false},
		"ours":                    {owned(owns("keywright", wholeSecret)), true, true},
		"another manager's":       {owned(owns("kubectl", wholeSecret)), false, false},
		"an entry without fields": {owned(metav1.ManagedFieldsEntry{Manager: "keywright"}), false, false},
		"an unreadable entry":     {owned(owns("keywright", `{"f:data":`), owns("keywright", `{"f:data":{"f:key":{}}}`)), true, false},
		"two entries of ours": {owned(owns("keywright", `{"f:data":{"f:key":{}}}`),
			owns("keywright", `{"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.owned.Has(keyPath) != c.key || c.owned.Has(keyIDPath) != c.marked {
				t.Fatalf("owned: %s", c.owned)
			}
		})
	}
}

// secretOf returns the metadata of a Secret written for the target.
func secretOf(h *Target, changes ...func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
	secret := SecretMetadata()
	secret.Namespace, secret.Name, secret.ResourceVersion = "ns", h.Spec.SecretName, "7"
	secret.Labels = maps.Clone(h.labels(nil))
	secret.Annotations = map[string]string{v1alpha1.AnnotationKeyID: "0123456789abcdef"}
	secret.OwnerReferences = []metav1.OwnerReference{
		{
			APIVersion: "keywright.dev/v1alpha1",
			Kind:       h.kind(),
			Name:       h.Object.GetName(),
			UID:        h.Object.GetUID(),
			Controller: new(true),
		},
	}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{owns("keywright", wholeSecret)}
	for _, change := range changes {
		change(secret)
	}
	return secret
}

func TestObserve(t *testing.T) {
	h := targetNamed("alice")
	h.Secret.Identity = map[string]string{"username": "alice"}
	type secret = metav1.PartialObjectMetadata
	owner := func(change func(*metav1.OwnerReference)) func(*secret) {
		return func(s *secret) { change(&s.OwnerReferences[0]) }
	}
	adopt := func(s *secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "true" }
	own := lifecycle.Secret{Owner: lifecycle.Own, KeyID: "0123456789abcdef", Intact: true, Written: true}
	with := func(change func(*lifecycle.Secret)) lifecycle.Secret { s := own; change(&s); return s }
	foreign := with(func(s *lifecycle.Secret) { s.Owner = lifecycle.Foreign })
	unowned := with(func(s *lifecycle.Secret) { s.Owner, s.Unowned = lifecycle.Foreign, true })
	for name, c := range map[string]struct {
		changes []func(*secret)
		want    lifecycle.Secret
	}{
		"as it was written": {nil, own},
		"of a former object": {
			[]func(*secret){owner(func(o *metav1.OwnerReference) { o.UID = "uid-0" })},
			with(func(s *lifecycle.Secret) { s.Owner = lifecycle.Leftover }),
		},
		"of another version of ours": {
			[]func(*secret){owner(func(o *metav1.OwnerReference) { o.APIVersion = "keywright.dev/v1" })},
			own,
		},
		"without an owner": {[]func(*secret){func(s *secret) { s.OwnerReferences = nil }}, unowned},
		"of an owner that is not the controller": {
			[]func(*secret){owner(func(o *metav1.OwnerReference) { o.Controller = new(false) })},
			unowned,
		},
		"of another name": {
			[]func(*secret){owner(func(o *metav1.OwnerReference) { o.Name = "bob" })},
			foreign,
		},
		"of another kind": {
			[]func(*secret){owner(func(o *metav1.OwnerReference) { o.Kind = "APIKey" })},
			foreign,
		},
		"of another group": {
			[]func(*secret){owner(func(o *metav1.OwnerReference) { o.APIVersion = "other.dev/v1alpha1" })},
			foreign,
		},
		"annotated for adoption": {
			[]func(*secret){adopt, func(s *secret) { s.OwnerReferences = nil }},
			with(func(s *lifecycle.Secret) { s.Owner, s.Unowned, s.Adopt = lifecycle.Foreign, true, true }),
		},
		"annotated with another value": {
			[]func(*secret){func(s *secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "yes" }},
			own,
		},
		"annotated, but owned by another controller": {
			[]func(*secret){adopt, owner(func(o *metav1.OwnerReference) { o.Kind = "Deployment" })},
			foreign,
		},
		"with another key": {[]func(*secret){func(s *secret) {
			s.ManagedFields[0] = owns("keywright", `{"f:data":{"f:username":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)
		}}, with(func(s *lifecycle.Secret) { s.Intact = false })},
		"with another username": {[]func(*secret){func(s *secret) {
			s.ManagedFields[0] = owns("keywright", `{"f:data":{"f:key":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)
		}}, with(func(s *lifecycle.Secret) { s.Intact = false })},
		"with another key id": {[]func(*secret){func(s *secret) {
			s.ManagedFields[0] = owns("keywright", `{"f:data":{"f:key":{},"f:username":{}}}`)
		}}, with(func(s *lifecycle.Secret) { s.Intact = false })},
		"without our label": {
			[]func(*secret){func(s *secret) { s.Labels = nil }},
			with(func(s *lifecycle.Secret) { s.Outdated = true }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := h.observe(secretOf(h, c.changes...)); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if h.observe(nil) != (lifecycle.Secret{}) {
		t.Error("a missing Secret is observed as present")
	}
}

func TestMetadataPatch(t *testing.T) {
	const ours = `{"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{},"f:note":{}},"f:labels":{"f:keywright.dev/issued-for":{},"f:team":{}}}}`
	for name, c := range map[string]struct {
		labels, annotations map[string]string
		have                func(*metav1.PartialObjectMetadata)
		want                string
	}{
		"nothing wanted, nothing set": {want: `null`},
		"set already": {
			labels: map[string]string{"team": "red"}, annotations: map[string]string{"note": "hello"},
			have: func(s *metav1.PartialObjectMetadata) { s.Labels["team"], s.Annotations["note"] = "red", "hello" },
			want: `null`,
		},
		"missing": {
			labels: map[string]string{"team": "red"}, annotations: map[string]string{"note": "hello"},
			want: `{"metadata":{"annotations":{"note":"hello"},"labels":{"team":"red"},"resourceVersion":"7"}}`,
		},
		"missing and empty": {
			labels: map[string]string{"team": ""},
			want:   `{"metadata":{"labels":{"team":""},"resourceVersion":"7"}}`,
		},
		"of another value": {
			labels: map[string]string{"team": "red"},
			have:   func(s *metav1.PartialObjectMetadata) { s.Labels["team"] = "blue" },
			want:   `{"metadata":{"labels":{"team":"red"},"resourceVersion":"7"}}`,
		},
		"ours and no longer wanted": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels["team"], s.Annotations["note"] = "red", "hello" },
			want: `{"metadata":{"annotations":{"note":null},"labels":{"team":null},"resourceVersion":"7"}}`,
		},
		"another manager's": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels["theirs"], s.Annotations["theirs"] = "x", "y" },
			want: `null`,
		},
		"our own label missing": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels = nil },
			want: `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"keywright","keywright.dev/issued-for":"AdminUser"},` +
				`"resourceVersion":"7"}}`,
		},
		"the label of the manager missing, as on a Secret from before": {
			have: func(s *metav1.PartialObjectMetadata) { delete(s.Labels, v1alpha1.LabelManagedBy) },
			want: `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"keywright"},"resourceVersion":"7"}}`,
		},
		"managed by another tool": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels[v1alpha1.LabelManagedBy] = "Helm" },
			want: `null`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := targetNamed("alice")
			secret := secretOf(h, func(s *metav1.PartialObjectMetadata) { s.ManagedFields[0] = owns("keywright", ours) })
			if c.have != nil {
				c.have(secret)
			}
			h.Secret.Labels, h.Secret.Annotations = c.labels, c.annotations
			got, err := json.Marshal(h.metadataPatch(secret, cachetrim.Owned(secret.ManagedFields)))
			if err != nil || string(got) != c.want {
				t.Fatalf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestApplyConfiguration(t *testing.T) {
	h := targetNamed("alice")
	h.Secret = Template{
		Labels: map[string]string{"team": "red"}, Annotations: map[string]string{"note": "hello"},
		Identity: map[string]string{"username": "alice"},
	}
	got := h.applyConfiguration("plaintext", "0123", secretOf(h))
	if !reflect.DeepEqual(got.Data, map[string][]byte{"key": []byte("plaintext"), "username": []byte("alice")}) {
		t.Errorf("data %v", got.Data)
	}
	if !maps.Equal(got.Labels, map[string]string{
		"team": "red", "keywright.dev/issued-for": "AdminUser", "app.kubernetes.io/managed-by": "keywright",
	}) {
		t.Errorf("labels %v", got.Labels)
	}
	if !maps.Equal(got.Annotations, map[string]string{"note": "hello", "keywright.dev/key-id": "0123"}) {
		t.Errorf("annotations %v", got.Annotations)
	}
	if got.Type != nil {
		t.Errorf("type %s: an adopted Secret keeps its own", *got.Type)
	}
	if *got.ResourceVersion != "7" || *got.Name != "alice-admin-key" || *got.Namespace != "ns" {
		t.Errorf("written to %s/%s at %s", *got.Namespace, *got.Name, *got.ResourceVersion)
	}
	if len(h.Secret.Labels) != 1 || len(h.Secret.Annotations) != 1 {
		t.Error("the template was changed")
	}
}

// The trimmed Secret in the cache leads to the same decisions as the whole one.
func TestObserve_TrimmedSecretEqualsWholeOne(t *testing.T) {
	var trimmer cachetrim.Trimmer
	for name, change := range map[string]func(*metav1.PartialObjectMetadata){
		"as it was written": func(*metav1.PartialObjectMetadata) {},
		"annotated":         func(s *metav1.PartialObjectMetadata) { s.Annotations["keywright.dev/adopt"] = "true" },
		"written by another": func(s *metav1.PartialObjectMetadata) {
			s.ManagedFields = []metav1.ManagedFieldsEntry{owns("kubectl", wholeSecret)}
		},
		"another id":         func(s *metav1.PartialObjectMetadata) { s.Annotations["keywright.dev/key-id"] = "other" },
		"no id":              func(s *metav1.PartialObjectMetadata) { delete(s.Annotations, "keywright.dev/key-id") },
		"label changed":      func(s *metav1.PartialObjectMetadata) { s.Labels["keywright.dev/issued-for"] = "Other" },
		"of a former object": func(s *metav1.PartialObjectMetadata) { s.OwnerReferences[0].UID = "former" },
		"of another kind":    func(s *metav1.PartialObjectMetadata) { s.OwnerReferences[0].Kind = "Deployment" },
		"without an owner":   func(s *metav1.PartialObjectMetadata) { s.OwnerReferences = nil },
		"key in another entry": func(s *metav1.PartialObjectMetadata) {
			s.ManagedFields = []metav1.ManagedFieldsEntry{owns("keywright", `{"f:data":{"f:other":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := targetNamed("alice")
			secret := secretOf(h, change)
			want := h.observe(secret.DeepCopy())
			// Only a Secret that was read from the API server shows other field managers.
			want.ChangedBy = ""
			trimmed, err := trimmer.Secret(secret)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.observe(trimmed.(*metav1.PartialObjectMetadata)); got != want {
				t.Fatalf("got %+v, want %+v", got, want)
			}
		})
	}
}
