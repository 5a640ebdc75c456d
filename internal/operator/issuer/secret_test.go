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

// owns is an entry of managedFields: what the API server attributes to a manager.
func owns(manager, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: metav1.NewFieldsV1(fields)}
}

const wholeSecret = `{"f:data":{"f:key":{},"f:username":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}},"f:labels":{"f:keywright.dev/issued-for":{}}}}`

func TestOwnedFields(t *testing.T) {
	owned := func(entries ...metav1.ManagedFieldsEntry) *fieldpath.Set { return cachetrim.Owned(entries) }
	keyPath := fieldpath.MakePathOrDie("data", "key")
	for name, c := range map[string]struct {
		owned       *fieldpath.Set
		key, marked bool
	}{
		"nothing":                  {owned(), false, false},
		"ours":                     {owned(owns("keywright", wholeSecret)), true, true},
		"somebody else's":          {owned(owns("kubectl", wholeSecret)), false, false},
		"an entry without fields":  {owned(metav1.ManagedFieldsEntry{Manager: "keywright"}), false, false},
		"an entry nobody can read": {owned(owns("keywright", `{"f:data":`), owns("keywright", `{"f:data":{"f:key":{}}}`)), true, false},
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

// secretOf is the metadata of a Secret that was written for the holder.
func secretOf(h *Holder, changes ...func(*metav1.PartialObjectMetadata)) *metav1.PartialObjectMetadata {
	secret := SecretMetadata()
	secret.Namespace, secret.Name, secret.ResourceVersion = "ns", h.Spec.SecretName, "7"
	secret.Labels = maps.Clone(h.labels())
	secret.Annotations = map[string]string{v1alpha1.AnnotationKeyID: "0123456789abcdef"}
	secret.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "keywright.dev/v1alpha1", Kind: h.kind(), Name: h.Object.GetName(), UID: h.Object.GetUID(), Controller: new(true),
	}}
	secret.ManagedFields = []metav1.ManagedFieldsEntry{owns("keywright", wholeSecret)}
	for _, change := range changes {
		change(secret)
	}
	return secret
}

func TestObserve(t *testing.T) {
	h := holderNamed("alice")
	h.Secret.Data = map[string]string{"username": "alice"}
	type secret = metav1.PartialObjectMetadata
	owner := func(change func(*metav1.OwnerReference)) func(*secret) {
		return func(s *secret) { change(&s.OwnerReferences[0]) }
	}
	adopt := func(s *secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "true" }
	own := lifecycle.Secret{Owner: lifecycle.Own, KeyID: "0123456789abcdef", Intact: true}
	with := func(change func(*lifecycle.Secret)) lifecycle.Secret { s := own; change(&s); return s }
	foreign := with(func(s *lifecycle.Secret) { s.Owner = lifecycle.Foreign })
	for name, c := range map[string]struct {
		changes []func(*secret)
		want    lifecycle.Secret
	}{
		"as it was written":           {nil, own},
		"of a former object":          {[]func(*secret){owner(func(o *metav1.OwnerReference) { o.UID = "uid-0" })}, with(func(s *lifecycle.Secret) { s.Owner = lifecycle.Leftover })},
		"of another version of ours":  {[]func(*secret){owner(func(o *metav1.OwnerReference) { o.APIVersion = "keywright.dev/v1" })}, own},
		"of nobody":                   {[]func(*secret){func(s *secret) { s.OwnerReferences = nil }}, foreign},
		"of one who does not control": {[]func(*secret){owner(func(o *metav1.OwnerReference) { o.Controller = new(false) })}, foreign},
		"of another name":             {[]func(*secret){owner(func(o *metav1.OwnerReference) { o.Name = "bob" })}, foreign},
		"of another kind":             {[]func(*secret){owner(func(o *metav1.OwnerReference) { o.Kind = "APIKey" })}, foreign},
		"of another group":            {[]func(*secret){owner(func(o *metav1.OwnerReference) { o.APIVersion = "other.dev/v1alpha1" })}, foreign},
		"handed over":                 {[]func(*secret){adopt, func(s *secret) { s.OwnerReferences = nil }}, with(func(s *lifecycle.Secret) { s.Owner, s.Adopt = lifecycle.Foreign, true })},
		"handed over by another word": {[]func(*secret){func(s *secret) { s.Annotations[v1alpha1.AnnotationAdopt] = "yes" }}, own},
		"handed over but another's":   {[]func(*secret){adopt, owner(func(o *metav1.OwnerReference) { o.Kind = "Deployment" })}, foreign},
		"with another key": {[]func(*secret){func(s *secret) {
			s.ManagedFields[0] = owns("keywright", `{"f:data":{"f:username":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)
		}}, with(func(s *lifecycle.Secret) { s.Intact = false })},
		"with another username": {[]func(*secret){func(s *secret) {
			s.ManagedFields[0] = owns("keywright", `{"f:data":{"f:key":{}},"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{}}}}`)
		}}, with(func(s *lifecycle.Secret) { s.Intact = false })},
		"with another key id": {[]func(*secret){func(s *secret) {
			s.ManagedFields[0] = owns("keywright", `{"f:data":{"f:key":{},"f:username":{}}}`)
		}}, with(func(s *lifecycle.Secret) { s.Intact = false })},
		"without our label": {[]func(*secret){func(s *secret) { s.Labels = nil }}, with(func(s *lifecycle.Secret) { s.Outdated = true })},
	} {
		t.Run(name, func(t *testing.T) {
			if got := h.observe(secretOf(h, c.changes...)); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
		})
	}
	if h.observe(nil) != (lifecycle.Secret{}) {
		t.Error("no Secret is seen as one")
	}
}

func TestMetadataPatch(t *testing.T) {
	const ours = `{"f:metadata":{"f:annotations":{"f:keywright.dev/key-id":{},"f:note":{}},"f:labels":{"f:keywright.dev/issued-for":{},"f:team":{}}}}`
	for name, c := range map[string]struct {
		labels, annotations map[string]string
		have                func(*metav1.PartialObjectMetadata)
		want                string
	}{
		"nothing asked, nothing there": {want: `null`},
		"there already": {
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
		"ours and no longer asked for": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels["team"], s.Annotations["note"] = "red", "hello" },
			want: `{"metadata":{"annotations":{"note":null},"labels":{"team":null},"resourceVersion":"7"}}`,
		},
		"somebody else's": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels["theirs"], s.Annotations["theirs"] = "x", "y" },
			want: `null`,
		},
		"our own label gone": {
			have: func(s *metav1.PartialObjectMetadata) { s.Labels = nil },
			want: `{"metadata":{"labels":{"keywright.dev/issued-for":"AdminUser"},"resourceVersion":"7"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := holderNamed("alice")
			secret := secretOf(h, func(s *metav1.PartialObjectMetadata) { s.ManagedFields[0] = owns("keywright", ours) })
			if c.have != nil {
				c.have(secret)
			}
			h.Secret.Labels, h.Secret.Annotations = c.labels, c.annotations
			if got, err := json.Marshal(h.metadataPatch(secret, cachetrim.Owned(secret.ManagedFields))); err != nil || string(got) != c.want {
				t.Fatalf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestTheSecretAsItIsApplied(t *testing.T) {
	h := holderNamed("alice")
	h.Secret = Template{
		Labels: map[string]string{"team": "red"}, Annotations: map[string]string{"note": "hello"},
		Data: map[string]string{"username": "alice"},
	}
	got := h.applyConfiguration("plaintext", "0123", "7")
	if !reflect.DeepEqual(got.Data, map[string][]byte{"key": []byte("plaintext"), "username": []byte("alice")}) {
		t.Errorf("data %v", got.Data)
	}
	if !maps.Equal(got.Labels, map[string]string{"team": "red", "keywright.dev/issued-for": "AdminUser"}) {
		t.Errorf("labels %v", got.Labels)
	}
	if !maps.Equal(got.Annotations, map[string]string{"note": "hello", "keywright.dev/key-id": "0123"}) {
		t.Errorf("annotations %v", got.Annotations)
	}
	if *got.ResourceVersion != "7" || *got.Name != "alice-admin-key" || *got.Namespace != "ns" {
		t.Errorf("written to %s/%s at %s", *got.Namespace, *got.Name, *got.ResourceVersion)
	}
	if len(h.Secret.Labels) != 1 || len(h.Secret.Annotations) != 1 {
		t.Error("the template was changed")
	}
}
