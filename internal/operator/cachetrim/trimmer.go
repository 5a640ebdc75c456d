package cachetrim

import (
	"bytes"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Trimmer makes objects smaller on their way into a cache. The zero value is ready.
type Trimmer struct {
	texts  interner[string]
	maps   interner[map[string]string]
	fields interner[[]metav1.ManagedFieldsEntry]
	// effective has few values: most keys have the same defaults and limits.
	effective interner[*v1alpha1.Effective]
}

// KeyObject trims an AdminUser or an APIKey. It is a cache.TransformFunc.
func (t *Trimmer) KeyObject(object any) (any, error) {
	o, ok := object.(keyholder.Object)
	if !ok {
		return object, nil
	}
	t.meta(o)
	o.SetManagedFields(nil)
	status := o.HolderStatus()
	for i := range status.Conditions {
		c := &status.Conditions[i]
		c.Type, c.Reason, c.Status = t.text(c.Type), t.text(c.Reason), metav1.ConditionStatus(t.text(string(c.Status)))
	}
	for i := range status.Keys {
		status.Keys[i].State = v1alpha1.KeyState(t.text(string(status.Keys[i].State)))
	}
	status.Effective = t.applied(status.Effective)
	shareParts(status)
	switch o := object.(type) {
	case *v1alpha1.AdminUser:
		o.TypeMeta = metav1.TypeMeta{}
	case *v1alpha1.APIKey:
		t.key(o)
	}
	return object, nil
}

// applied returns the shared value that equals e, or nil for nil.
func (t *Trimmer) applied(e *v1alpha1.Effective) *v1alpha1.Effective {
	if e == nil {
		return nil
	}
	name := string(e.TTL) + "\x00" + e.TTLFrom + "\x00" + string(e.Overlap)
	return t.effective.get(name, e.DeepCopy)
}

// shareParts replaces strings that are part of a longer one by a slice of it.
func shareParts(status *v1alpha1.KeyHolderStatus) {
	for i := range status.Keys {
		k := &status.Keys[i]
		k.ID = partOf(k.Digest, k.ID)
	}
	for i := range status.Conditions {
		status.SecretName = partOf(status.Conditions[i].Message, status.SecretName)
	}
}

// partOf returns part, as a slice of whole if whole contains it.
func partOf(whole, part string) string {
	if at := strings.Index(whole, part); at >= 0 {
		return whole[at : at+len(part)]
	}
	return part
}

// key removes the fields that are for people or for the server.
func (t *Trimmer) key(k *v1alpha1.APIKey) {
	k.TypeMeta = metav1.TypeMeta{}
	k.Spec.DisplayName, k.Spec.Description, k.Spec.Category = "", "", ""
	k.Spec.Subject.Kind = v1alpha1.SubjectKind(t.text(string(k.Spec.Subject.Kind)))
	k.Spec.Delivery = v1alpha1.Delivery(t.text(string(k.Spec.Delivery)))
	k.Spec.State = v1alpha1.State(t.text(string(k.Spec.State)))
	k.Spec.Scopes, k.Spec.Policy = nil, nil
}

// Secret trims the metadata of a Secret. It is a cache.TransformFunc.
func (t *Trimmer) Secret(object any) (any, error) {
	secret, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return object, nil
	}
	foldKeyID(secret)
	t.meta(secret)
	secret.Kind, secret.APIVersion = t.text(secret.Kind), t.text(secret.APIVersion)
	secret.ManagedFields = t.ours(secret.ManagedFields)
	for i := range secret.OwnerReferences {
		owner := &secret.OwnerReferences[i]
		owner.Kind, owner.APIVersion = t.text(owner.Kind), t.text(owner.APIVersion)
		owner.BlockOwnerDeletion = nil
		if owner.Controller != nil && *owner.Controller {
			owner.Controller = &isController
		}
	}
	return secret, nil
}

// foldKeyID removes the annotations that differ from Secret to Secret, which saves a map of a third of a kilobyte. The
// key id moves into generateName, which Secrets of Keywright do not have.
func foldKeyID(secret *metav1.PartialObjectMetadata) {
	if id, found := secret.Annotations[v1alpha1.AnnotationKeyID]; found {
		delete(secret.Annotations, v1alpha1.AnnotationKeyID)
		secret.GenerateName = id
	}
	// Only an adoption needs the time, which reads the Secret itself.
	delete(secret.Annotations, v1alpha1.AnnotationIssuedAt)
}

// KeyID returns the id of the key that Keywright last wrote into a Secret, trimmed or not.
func KeyID(secret *metav1.PartialObjectMetadata) string {
	if id, found := secret.Annotations[v1alpha1.AnnotationKeyID]; found {
		return id
	}
	return secret.GenerateName
}

// meta trims the metadata that every object has.
func (t *Trimmer) meta(o metav1.Object) {
	o.SetNamespace(t.text(o.GetNamespace()))
	o.SetLabels(t.strings(o.GetLabels()))
	annotations := o.GetAnnotations()
	// Delete only what is there: at the start of a watch every object passes here twice, and the second time
	// its map is shared with other readers.
	if _, found := annotations[corev1.LastAppliedConfigAnnotation]; found { //nolint:staticcheck // the guard is the point
		delete(annotations, corev1.LastAppliedConfigAnnotation)
	}
	o.SetAnnotations(t.strings(annotations))
}

// isController is shared by all owner references.
var isController = true

// ownerPath is the path of owner references in managed fields. It contains the uid of the owner.
var ownerPath = fieldpath.MakePathOrDie("metadata", "ownerReferences")

// ours returns the managed fields of Keywright, without those that differ from Secret to Secret.
func (t *Trimmer) ours(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	owned := Owned(entries).RecursiveDifference(fieldpath.NewSet(ownerPath))
	raw, err := owned.ToJSON()
	if err != nil || owned.Empty() {
		return nil
	}
	return t.fields.get(string(raw), func() []metav1.ManagedFieldsEntry {
		fields := &metav1.FieldsV1{}
		fields.SetRawBytes(raw)
		return []metav1.ManagedFieldsEntry{{Manager: v1alpha1.FieldManager, FieldsV1: fields}}
	})
}

// Owned returns the fields that the API server attributes to Keywright. A field leaves the set when another
// client writes a different value to it, so metadata alone proves that a Secret still holds what Keywright
// wrote.
func Owned(entries []metav1.ManagedFieldsEntry) *fieldpath.Set {
	owned := fieldpath.NewSet()
	for _, entry := range entries {
		if entry.Manager != v1alpha1.FieldManager || entry.FieldsV1 == nil {
			continue
		}
		fields := fieldpath.NewSet()
		if err := fields.FromJSON(bytes.NewReader(entry.FieldsV1.GetRawBytes())); err == nil {
			owned = owned.Union(fields)
		}
	}
	return owned
}
