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

// Slimmer makes objects small on their way into a cache. Its zero value is ready.
type Slimmer struct {
	texts  pool[string]
	maps   pool[map[string]string]
	fields pool[[]metav1.ManagedFieldsEntry]
}

// Holder slims an AdminUser or an APIKey. It is a cache.TransformFunc.
func (s *Slimmer) Holder(object any) (any, error) {
	o, is := object.(keyholder.Object)
	if !is {
		return object, nil
	}
	s.meta(o)
	o.SetManagedFields(nil)
	status := o.HolderStatus()
	for i := range status.Conditions {
		c := &status.Conditions[i]
		c.Type, c.Reason, c.Status = s.text(c.Type), s.text(c.Reason), metav1.ConditionStatus(s.text(string(c.Status)))
	}
	shareParts(status)
	switch o := object.(type) {
	case *v1alpha1.AdminUser:
		o.TypeMeta = metav1.TypeMeta{}
	case *v1alpha1.APIKey:
		s.key(o)
	}
	return object, nil
}

// shareParts has what is a part of another text be that part.
func shareParts(status *v1alpha1.KeyHolderStatus) {
	for i := range status.Keys {
		k := &status.Keys[i]
		k.ID = partOf(k.Digest, k.ID)
	}
	for i := range status.Conditions {
		status.SecretName = partOf(status.Conditions[i].Message, status.SecretName)
	}
}

// partOf is the part, in the memory of the whole where it is one.
func partOf(whole, part string) string {
	if at := strings.Index(whole, part); at >= 0 {
		return whole[at : at+len(part)]
	}
	return part
}

// key takes off what is for people.
func (s *Slimmer) key(k *v1alpha1.APIKey) {
	k.TypeMeta = metav1.TypeMeta{}
	k.Spec.DisplayName, k.Spec.Description, k.Spec.Category = "", "", ""
	k.Spec.Subject.Kind = v1alpha1.SubjectKind(s.text(string(k.Spec.Subject.Kind)))
	k.Spec.Delivery = v1alpha1.Delivery(s.text(string(k.Spec.Delivery)))
	k.Spec.Scopes, k.Spec.Policy = nil, nil
}

// Secret slims the metadata of a Secret. It is a cache.TransformFunc.
func (s *Slimmer) Secret(object any) (any, error) {
	secret, is := object.(*metav1.PartialObjectMetadata)
	if !is {
		return object, nil
	}
	foldKeyID(secret)
	s.meta(secret)
	secret.Kind, secret.APIVersion = s.text(secret.Kind), s.text(secret.APIVersion)
	secret.ManagedFields = s.ours(secret.ManagedFields)
	for i := range secret.OwnerReferences {
		owner := &secret.OwnerReferences[i]
		owner.Kind, owner.APIVersion = s.text(owner.Kind), s.text(owner.APIVersion)
		owner.BlockOwnerDeletion = nil
		if owner.Controller != nil && *owner.Controller {
			owner.Controller = &yes
		}
	}
	return secret, nil
}

// foldKeyID moves the one annotation that differs from Secret to Secret to where it takes no map of its own, which is a
// third of a kilobyte. No Secret of Keywright's has a generateName.
func foldKeyID(secret *metav1.PartialObjectMetadata) {
	if id, is := secret.Annotations[v1alpha1.AnnotationKeyID]; is {
		delete(secret.Annotations, v1alpha1.AnnotationKeyID)
		secret.GenerateName = id
	}
}

// KeyID is the id of the key that Keywright last wrote into a Secret, slimmed or not.
func KeyID(secret *metav1.PartialObjectMetadata) string {
	if id, is := secret.Annotations[v1alpha1.AnnotationKeyID]; is {
		return id
	}
	return secret.GenerateName
}

// meta slims what every object has.
func (s *Slimmer) meta(o metav1.Object) {
	o.SetNamespace(s.text(o.GetNamespace()))
	o.SetLabels(s.strings(o.GetLabels()))
	annotations := o.GetAnnotations()
	// Not even an attempt where there is nothing to delete: a list that is watched goes through here twice, and the second
	// time the map is one that others read.
	if _, is := annotations[corev1.LastAppliedConfigAnnotation]; is { //nolint:staticcheck // the guard is the point
		delete(annotations, corev1.LastAppliedConfigAnnotation)
	}
	o.SetAnnotations(s.strings(annotations))
}

// yes is every owner reference's.
var yes = true

// ownerPath is where an apply by Keywright names the one object that a Secret belongs to.
var ownerPath = fieldpath.MakePathOrDie("metadata", "ownerReferences")

// ours is what the API server attributes to Keywright, without what differs from Secret to Secret.
func (s *Slimmer) ours(entries []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	owned := Owned(entries).RecursiveDifference(fieldpath.NewSet(ownerPath))
	raw, err := owned.ToJSON()
	if err != nil || owned.Empty() {
		return nil
	}
	return s.fields.share(string(raw), func() []metav1.ManagedFieldsEntry {
		fields := &metav1.FieldsV1{}
		fields.SetRawBytes(raw)
		return []metav1.ManagedFieldsEntry{{Manager: v1alpha1.FieldManager, FieldsV1: fields}}
	})
}

// Owned is what the API server attributes to Keywright. Whoever else writes another value to a field takes it away from
// this set: so metadata alone proves that a Secret still holds what Keywright wrote.
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
