package issuer

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// absentVersion as the resourceVersion of an apply makes it create the object or fail. No object ever has this
// version, so an object created since the last read is a conflict and is not overwritten.
const absentVersion = "1"

// SecretMetadata returns an empty Secret for reading metadata only.
func SecretMetadata() *metav1.PartialObjectMetadata {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret
}

// observe translates a Secret's metadata. A nil secret does not exist.
func (t *Target) observe(secret *metav1.PartialObjectMetadata) lifecycle.Secret {
	if secret == nil {
		return lifecycle.Secret{}
	}
	owned := cachetrim.Owned(secret.ManagedFields)
	return lifecycle.Secret{
		Owner:     t.ownerOf(secret),
		KeyID:     cachetrim.KeyID(secret),
		Intact:    owned.Has(keyIDPath) && t.ownsKey(owned) && t.ownsData(owned),
		Misplaced: t.misplaced(owned),
		Adopt:     secret.Annotations[v1alpha1.AnnotationAdopt] == "true" && !ownedByAnother(secret, t),
		Outdated:  t.metadataPatch(secret, owned) != nil,
	}
}

// ownerOf returns which object the Secret was written for.
func (t *Target) ownerOf(secret *metav1.PartialObjectMetadata) lifecycle.Owner {
	controller := metav1.GetControllerOfNoCopy(secret)
	switch {
	case controller == nil || !t.sameName(controller):
		return lifecycle.Foreign
	case controller.UID == t.Object.GetUID():
		return lifecycle.Own
	}
	return lifecycle.Leftover
}

// ownedByAnother reports whether another controller owns the Secret. An annotation alone cannot hand such a
// Secret over.
func ownedByAnother(secret *metav1.PartialObjectMetadata, t *Target) bool {
	controller := metav1.GetControllerOfNoCopy(secret)
	return controller != nil && !t.sameName(controller)
}

func (t *Target) sameName(owner *metav1.OwnerReference) bool {
	return isOurs(owner) && owner.Kind == t.kind() && owner.Name == t.Object.GetName()
}

var (
	dataPath  = fieldpath.PathElement{FieldName: new("data")}
	keyIDPath = fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationKeyID)
)

// entry is the name of the Secret entry that holds the key.
func (t *Target) entry() string {
	if t.Secret.DataKey == "" {
		return v1alpha1.SecretKey
	}
	return t.Secret.DataKey
}

func (t *Target) ownsKey(owned *fieldpath.Set) bool {
	return owned.Has(fieldpath.MakePathOrDie("data", t.entry())) || t.misplaced(owned)
}

// misplaced reports whether Keywright wrote the key into another entry than the one the spec names now.
func (t *Target) misplaced(owned *fieldpath.Set) bool {
	data := owned.WithPrefix(dataPath)
	elsewhere := false
	for path := range data.All() {
		_, fromTemplate := t.Secret.Data[entryOf(path)]
		elsewhere = elsewhere || !fromTemplate && entryOf(path) != t.entry()
	}
	return elsewhere && !owned.Has(fieldpath.MakePathOrDie("data", t.entry()))
}

func entryOf(path fieldpath.Path) string {
	if len(path) == 0 || path[0].FieldName == nil {
		return ""
	}
	return *path[0].FieldName
}

func (t *Target) ownsData(owned *fieldpath.Set) bool {
	for name := range t.Secret.Data {
		if !owned.Has(fieldpath.MakePathOrDie("data", name)) {
			return false
		}
	}
	return true
}

// applyConfiguration returns the whole Secret to apply. version is the resourceVersion that the decision was
// made on.
func (t *Target) applyConfiguration(plaintext, keyID, version string) *corev1ac.SecretApplyConfiguration {
	data := map[string][]byte{t.entry(): []byte(plaintext)}
	for name, value := range t.Secret.Data {
		data[name] = []byte(value)
	}
	annotations := maps.Clone(t.Secret.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationKeyID] = keyID
	return corev1ac.Secret(t.Spec.SecretName, t.Object.GetNamespace()).
		WithResourceVersion(version).
		WithLabels(t.labels()).
		WithAnnotations(annotations).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).WithKind(t.kind()).
			WithName(t.Object.GetName()).WithUID(t.Object.GetUID()).WithController(true)).
		WithData(data)
}

func (t *Target) labels() map[string]string {
	labels := maps.Clone(t.Secret.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelIssuedFor] = t.kind()
	return labels
}

// metadataPatch returns a merge patch that sets labels and annotations as the spec asks, or nil if there is nothing
// to change. It removes those that Keywright owns and the spec no longer has; those of others stay.
func (t *Target) metadataPatch(secret *metav1.PartialObjectMetadata, owned *fieldpath.Set) map[string]any {
	patch := map[string]any{}
	if labels := difference(secret.Labels, t.labels(), owned, "labels"); len(labels) > 0 {
		patch["labels"] = labels
	}
	if annotations := difference(secret.Annotations, t.Secret.Annotations, owned, "annotations"); len(annotations) > 0 {
		patch["annotations"] = annotations
	}
	if len(patch) == 0 {
		return nil
	}
	patch["resourceVersion"] = secret.ResourceVersion
	return map[string]any{"metadata": patch}
}

// difference maps each name to the value to set, or to nil to remove it.
func difference(have, want map[string]string, owned *fieldpath.Set, field string) map[string]any {
	changes := map[string]any{}
	for name, value := range want {
		if present, found := have[name]; !found || present != value {
			changes[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		_, wanted := want[name]
		ours := owned.Has(fieldpath.MakePathOrDie("metadata", field, name))
		if ours && !wanted && name != v1alpha1.AnnotationKeyID {
			changes[name] = nil
		}
	}
	return changes
}
