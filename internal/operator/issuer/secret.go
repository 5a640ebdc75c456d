package issuer

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/operator/cachetrim"
)

// absentVersion as the resourceVersion of an apply makes it create or fail: no object ever has this version, so
// one that appeared since we looked is a conflict and not overwritten.
const absentVersion = "1"

// SecretMetadata is an empty Secret of which only metadata is read.
func SecretMetadata() *metav1.PartialObjectMetadata {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return secret
}

// observe translates a Secret's metadata. A nil secret is one that does not exist.
func (h *Holder) observe(secret *metav1.PartialObjectMetadata) lifecycle.Secret {
	if secret == nil {
		return lifecycle.Secret{}
	}
	owned := cachetrim.Owned(secret.ManagedFields)
	return lifecycle.Secret{
		Owner:     h.ownerOf(secret),
		KeyID:     cachetrim.KeyID(secret),
		Intact:    owned.Has(keyIDPath) && h.ownsKey(owned) && h.ownsData(owned),
		Misplaced: h.misplaced(owned),
		Adopt:     secret.Annotations[v1alpha1.AnnotationAdopt] == "true" && !ownedByAnother(secret, h),
		Outdated:  h.metadataPatch(secret, owned) != nil,
	}
}

// ownerOf says for whom the Secret was written.
func (h *Holder) ownerOf(secret *metav1.PartialObjectMetadata) lifecycle.Owner {
	controller := metav1.GetControllerOfNoCopy(secret)
	switch {
	case controller == nil || !h.sameName(controller):
		return lifecycle.Foreign
	case controller.UID == h.Object.GetUID():
		return lifecycle.Own
	}
	return lifecycle.Leftover
}

// ownedByAnother: a Secret that some other controller looks after can't be handed over by an annotation alone.
func ownedByAnother(secret *metav1.PartialObjectMetadata, h *Holder) bool {
	controller := metav1.GetControllerOfNoCopy(secret)
	return controller != nil && !h.sameName(controller)
}

func (h *Holder) sameName(owner *metav1.OwnerReference) bool {
	group, _, _ := strings.Cut(owner.APIVersion, "/")
	return group == v1alpha1.SchemeGroupVersion.Group && owner.Kind == h.kind() && owner.Name == h.Object.GetName()
}

var (
	dataPath  = fieldpath.PathElement{FieldName: new("data")}
	keyIDPath = fieldpath.MakePathOrDie("metadata", "annotations", v1alpha1.AnnotationKeyID)
)

// entry is where in the Secret the key goes.
func (h *Holder) entry() string {
	if h.Secret.Key == "" {
		return v1alpha1.SecretKey
	}
	return h.Secret.Key
}

func (h *Holder) ownsKey(owned *fieldpath.Set) bool {
	return owned.Has(fieldpath.MakePathOrDie("data", h.entry())) || h.misplaced(owned)
}

// misplaced: Keywright wrote a key into the Secret, and not into the entry that is asked for now.
func (h *Holder) misplaced(owned *fieldpath.Set) bool {
	data := owned.WithPrefix(dataPath)
	elsewhere := false
	for path := range data.All() {
		_, beside := h.Secret.Data[entryOf(path)]
		elsewhere = elsewhere || !beside && entryOf(path) != h.entry()
	}
	return elsewhere && !owned.Has(fieldpath.MakePathOrDie("data", h.entry()))
}

func entryOf(path fieldpath.Path) string {
	if len(path) == 0 || path[0].FieldName == nil {
		return ""
	}
	return *path[0].FieldName
}

func (h *Holder) ownsData(owned *fieldpath.Set) bool {
	for name := range h.Secret.Data {
		if !owned.Has(fieldpath.MakePathOrDie("data", name)) {
			return false
		}
	}
	return true
}

// applyConfiguration is the whole Secret as Keywright wants it. version is the one that was looked at.
func (h *Holder) applyConfiguration(plaintext, keyID, version string) *corev1ac.SecretApplyConfiguration {
	data := map[string][]byte{h.entry(): []byte(plaintext)}
	for name, value := range h.Secret.Data {
		data[name] = []byte(value)
	}
	annotations := maps.Clone(h.Secret.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationKeyID] = keyID
	return corev1ac.Secret(h.Spec.SecretName, h.Object.GetNamespace()).
		WithResourceVersion(version).
		WithLabels(h.labels()).
		WithAnnotations(annotations).
		WithOwnerReferences(metav1ac.OwnerReference().
			WithAPIVersion(v1alpha1.SchemeGroupVersion.String()).WithKind(h.kind()).
			WithName(h.Object.GetName()).WithUID(h.Object.GetUID()).WithController(true)).
		WithData(data)
}

func (h *Holder) labels() map[string]string {
	labels := maps.Clone(h.Secret.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelIssuedFor] = h.kind()
	return labels
}

// metadataPatch is a merge patch that brings labels and annotations to what the spec asks, or nil when they are.
// What Keywright set before and is no longer asked for goes, as owned says; what others set stays.
func (h *Holder) metadataPatch(secret *metav1.PartialObjectMetadata, owned *fieldpath.Set) map[string]any {
	patch := map[string]any{}
	if labels := difference(secret.Labels, h.labels(), owned, "labels"); len(labels) > 0 {
		patch["labels"] = labels
	}
	if annotations := difference(secret.Annotations, h.Secret.Annotations, owned, "annotations"); len(annotations) > 0 {
		patch["annotations"] = annotations
	}
	if len(patch) == 0 {
		return nil
	}
	patch["resourceVersion"] = secret.ResourceVersion
	return map[string]any{"metadata": patch}
}

// difference maps each name to its wanted value, or to nil when it is to go.
func difference(have, want map[string]string, owned *fieldpath.Set, field string) map[string]any {
	changes := map[string]any{}
	for name, value := range want {
		if present, is := have[name]; !is || present != value {
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
