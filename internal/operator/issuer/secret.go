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
	written := recordOf(secret, owned)
	proven := written.proven && owned.Has(keyIDPath)
	mistyped := proven && written.secretType != t.contents().secretType
	adopt := secret.Annotations[v1alpha1.AnnotationAdopt] == "true" && !ownedByAnother(secret, t)
	return lifecycle.Secret{
		Owner:     t.ownerOf(secret),
		Unowned:   metav1.GetControllerOfNoCopy(secret) == nil,
		KeyID:     cachetrim.KeyID(secret),
		Misplaced: t.misplaced(owned, written),
		Adopt:     adopt,
		// The type of a Secret that a person handed over is known once it has been read.
		Mistyped:  mistyped && !adopt,
		Intact:    proven && (!mistyped || !adopt) && t.ownsKey(owned, written) && t.ownsEntries(owned, written),
		Outdated:  t.metadataPatch(secret, owned) != nil,
		Written:   !owned.Empty(),
		ChangedBy: t.changedBy(secret),
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

var keyIDPath = fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationKeyID)

// dataKey is the name of the Secret entry that holds the key.
func (t *Target) dataKey() string {
	if t.Secret.DataKey == "" {
		return v1alpha1.SecretKey
	}
	return t.Secret.DataKey
}

// ownsKey reports whether no other writer has changed the key, in whichever entry Keywright wrote it.
func (t *Target) ownsKey(owned *fieldpath.Set, written record) bool {
	if written.proven && written.dataKey != "" {
		return owned.Has(dataPath(written.dataKey))
	}
	return owned.Has(dataPath(t.dataKey())) || t.misplaced(owned, written)
}

// misplaced reports whether Keywright wrote the key into another entry than the one the spec names now.
func (t *Target) misplaced(owned *fieldpath.Set, written record) bool {
	switch {
	case written.proven && written.dataKey != "":
		return written.dataKey != t.dataKey() && owned.Has(dataPath(written.dataKey))
	case owned.Has(dataPath(t.dataKey())):
		return false
	}
	return slices.ContainsFunc(ownedEntries(owned), func(name string) bool { return !t.isOwnEntry(name) })
}

// applyConfiguration returns the whole Secret to apply. before is the Secret that the decision was made on, nil if it
// did not exist.
func (t *Target) applyConfiguration(
	plaintext, keyID string, before *metav1.PartialObjectMetadata,
) *corev1ac.SecretApplyConfiguration {
	version, labels := absentVersion, t.labels(nil)
	if before != nil {
		version, labels = before.ResourceVersion, t.labels(before.Labels)
	}
	annotations := t.annotations()
	annotations[v1alpha1.AnnotationKeyID] = keyID
	secret := corev1ac.Secret(t.Spec.SecretName, t.Object.GetNamespace()).
		WithResourceVersion(version).
		WithLabels(labels).
		WithAnnotations(annotations).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).WithKind(t.kind()).
			WithName(t.Object.GetName()).WithUID(t.Object.GetUID()).WithController(true)).
		WithData(t.data(plaintext))
	// Opaque is the default. Left out, it leaves an adopted Secret the type that it has.
	if secretType := t.contents().secretType; secretType != "" {
		secret.WithType(corev1.SecretType(secretType))
	}
	return secret
}

// data returns all entries that Keywright writes.
func (t *Target) data(plaintext string) map[string][]byte {
	data := map[string][]byte{t.dataKey(): []byte(plaintext)}
	for name, value := range t.Secret.Identity {
		data[name] = []byte(value)
	}
	for name, value := range t.entries() {
		data[name] = []byte(value)
	}
	return data
}

// labels returns the labels to set on a Secret that has these now.
func (t *Target) labels(have map[string]string) map[string]string {
	labels := maps.Clone(t.Secret.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelIssuedFor] = t.kind()
	// An adopted Secret may belong to a tool, such as Helm, that refuses to continue under another name.
	if by, found := have[v1alpha1.LabelManagedBy]; !found || by == v1alpha1.ManagedByKeywright {
		labels[v1alpha1.LabelManagedBy] = v1alpha1.ManagedByKeywright
	}
	return labels
}

// annotations returns the annotations to set, without the key's id.
func (t *Target) annotations() map[string]string {
	annotations := maps.Clone(t.Secret.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	if record := t.contents().String(); record != "" {
		annotations[v1alpha1.AnnotationContents] = record
	}
	return annotations
}

// metadataPatch returns a merge patch that sets labels, annotations and the entries beside the key as the spec asks, or
// nil if there is nothing to change. It removes those that Keywright owns and the spec no longer has; those of others
// stay.
func (t *Target) metadataPatch(secret *metav1.PartialObjectMetadata, owned *fieldpath.Set) map[string]any {
	metadata, patch := map[string]any{}, map[string]any{}
	if labels := difference(secret.Labels, t.labels(secret.Labels), owned, "labels"); len(labels) > 0 {
		metadata["labels"] = labels
	}
	annotations := difference(secret.Annotations, t.annotations(), owned, "annotations")
	if written := recordOf(secret, owned); t.keepsPlace(owned, written) {
		if entries := t.entriesPatch(owned, written); len(entries) > 0 {
			patch["data"] = entries
		}
	} else {
		// A new key is about to be written elsewhere. Until then the record has to name the place of the present one.
		delete(annotations, v1alpha1.AnnotationContents)
	}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	if len(metadata) == 0 && len(patch) == 0 {
		return nil
	}
	metadata["resourceVersion"] = secret.ResourceVersion
	patch["metadata"] = metadata
	return patch
}

// keepsPlace reports whether the spec asks for the key in the entry, and in a Secret of the type, that it was written
// to.
func (t *Target) keepsPlace(owned *fieldpath.Set, written record) bool {
	return written.secretType == t.contents().secretType && !t.misplaced(owned, written)
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
		if ours && !wanted && name != v1alpha1.AnnotationKeyID && name != v1alpha1.AnnotationIssuedAt {
			changes[name] = nil
		}
	}
	return changes
}
