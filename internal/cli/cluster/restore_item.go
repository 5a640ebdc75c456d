package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/cli/cluster/archive"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// outcome is what became of an object.
type outcome string

const (
	created     outcome = "created"
	completed   outcome = "given its status"
	overwritten outcome = "overwritten"
	joined      outcome = "joined with the pepper of the backup"
	unchanged   outcome = "unchanged"
	// differs: the object exists with other content, and was left alone.
	differs outcome = "different"
)

var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

// ensureNamespace creates a namespace that the backup needs.
func (r *restorer) ensureNamespace(ctx context.Context, name string) error {
	if name == "" || r.namespaces[name] {
		return nil
	}
	r.namespaces[name] = true
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	err := r.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
	if !apierrors.IsNotFound(err) {
		return err
	}
	if !r.dryRun {
		if err := r.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	r.Printf("Namespace %s %s, without labels and annotations\n", name, r.said(created))
	return nil
}

// restoreItem brings back one object.
func (r *restorer) restoreItem(ctx context.Context, item *unstructured.Unstructured) (outcome, error) {
	present, err := readObject(ctx, r, item.GroupVersionKind(), item.GetNamespace(), item.GetName())
	if apierrors.IsNotFound(err) {
		done, err := r.create(ctx, item)
		if !apierrors.IsAlreadyExists(err) {
			return done, err
		}
		// Another restore was faster.
		present, err = readObject(ctx, r, item.GroupVersionKind(), item.GetNamespace(), item.GetName())
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	return r.meet(ctx, item, present)
}

func (r *restorer) create(ctx context.Context, item *unstructured.Unstructured) (outcome, error) {
	if r.dryRun {
		return created, nil
	}
	o, status := archive.Parts(item)
	if err := r.Create(ctx, o, client.FieldOwner(v1alpha1.IncidentFieldManager)); err != nil {
		return "", err
	}
	return created, r.writeStatus(ctx, item, o, status)
}

// writeStatus writes the status of an item to an object that has its spec.
func (r *restorer) writeStatus(
	ctx context.Context, item, o *unstructured.Unstructured, status map[string]any,
) error {
	if status == nil {
		return nil
	}
	o.Object["status"] = archive.Describing(item, o.GetGeneration())
	return r.Status().Update(ctx, o, client.FieldOwner(v1alpha1.IncidentFieldManager))
}

// meet decides about an object that exists.
func (r *restorer) meet(ctx context.Context, item, present *unstructured.Unstructured) (outcome, error) {
	same := archive.SameContent(item, present)
	_, status := archive.Parts(item)
	switch {
	case same && archive.SameRecord(item, present):
		return unchanged, nil
	case same && !archive.HasRecord(present):
		// It was created, and the restore ended before the status was written; or it was applied from Git.
		if r.dryRun {
			return completed, nil
		}
		return completed, r.writeStatus(ctx, item, present, status)
	case item.GetKind() == "Secret" && item.GetName() == v1alpha1.PepperSecret:
		return r.joinPeppers(ctx, item, present)
	case !r.force && !isFreshRuntime(present):
		return differs, nil
	case r.dryRun:
		return overwritten, nil
	}
	o, _ := archive.Parts(item)
	o.SetResourceVersion(present.GetResourceVersion())
	o.SetOwnerReferences(present.GetOwnerReferences())
	o.SetFinalizers(present.GetFinalizers())
	if err := r.Update(ctx, o, client.FieldOwner(v1alpha1.IncidentFieldManager)); err != nil {
		return "", err
	}
	return overwritten, r.writeStatus(ctx, item, o, status)
}

// isFreshRuntime reports whether an object is the configuration of servers that an operator wrote before there were
// settings: defaults.
func isFreshRuntime(o *unstructured.Unstructured) bool {
	return o.GetKind() == "ConfigMap" && o.GetName() == v1alpha1.ConfigMapRuntime &&
		o.GetAnnotations()[v1alpha1.AnnotationConfigurationStatus] == v1alpha1.ConfigurationAbsent
}

// giveOwners makes key objects the owners of their Secrets, as they were: a Secret in a backup has no owner. Object and
// Secret may have been restored at different times.
func (r *restorer) giveOwners(ctx context.Context) error {
	restored := map[client.ObjectKey]bool{}
	for _, item := range r.Items {
		name, _, _ := unstructured.NestedString(item.Object, "status", "secretName")
		if item.GetKind() == "Secret" {
			name = item.GetName()
		}
		restored[client.ObjectKey{Namespace: item.GetNamespace(), Name: name}] = true
	}
	holders, err := r.all(ctx)
	if err != nil {
		return err
	}
	for _, o := range holders {
		key := client.ObjectKey{Namespace: o.GetNamespace(), Name: o.HolderStatus().SecretName}
		if key.Name == "" || !restored[key] {
			continue
		}
		err := r.giveOwner(ctx, key, o)
		if apierrors.IsForbidden(err) {
			// Without rights on Secrets none were restored either.
			return nil
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

func (r *restorer) giveOwner(ctx context.Context, key client.ObjectKey, o keyholder.Object) error {
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(secretKind)
	if err := r.Get(ctx, key, secret); err != nil {
		return err
	}
	before := secret.DeepCopy()
	if secret.Labels[v1alpha1.LabelIssuedFor] != keyholder.KindOf(o) || !own(secret, o) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return r.Patch(ctx, secret, patch, client.FieldOwner(v1alpha1.IncidentFieldManager))
}

// own makes an object the controller of a Secret, in place of a former object of its name. It reports whether that
// changed the Secret: one that another controller has stays as it is.
func own(secret *metav1.PartialObjectMetadata, owner keyholder.Object) (changed bool) {
	wanted := metav1.OwnerReference{
		APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: keyholder.KindOf(owner), Name: owner.GetName(),
		UID: owner.GetUID(), Controller: new(true),
	}
	former := metav1.GetControllerOf(secret)
	if former != nil && (former.Kind != wanted.Kind || former.Name != wanted.Name || former.UID == wanted.UID) {
		return false
	}
	secret.OwnerReferences = slices.DeleteFunc(secret.OwnerReferences, func(o metav1.OwnerReference) bool {
		return former != nil && o.UID == former.UID
	})
	secret.OwnerReferences = append(secret.OwnerReferences, wanted)
	return true
}

// keptPepper begins the name of an entry with a pepper that was there before a restore.
const keptPepper = "before-restore-"

// joinPeppers adds the peppers of a backup, whose active one becomes the active one. Those that are there stay: keys
// may have been digested with them.
func (r *restorer) joinPeppers(ctx context.Context, item, present *unstructured.Unstructured) (outcome, error) {
	theirs, ours := dataOf(item), dataOf(present)
	data := maps.Clone(theirs)
	for name, value := range ours {
		if slices.ContainsFunc(slices.Collect(maps.Values(data)), func(v []byte) bool { return bytes.Equal(v, value) }) {
			continue
		}
		for n := 1; data[name] != nil; n++ {
			name = keptPepper + strconv.Itoa(n)
		}
		data[name] = value
	}
	switch {
	case maps.EqualFunc(data, ours, bytes.Equal):
		return unchanged, nil
	case r.dryRun:
		return joined, nil
	}
	encoded := map[string]any{}
	for name, value := range data {
		encoded[name] = base64.StdEncoding.EncodeToString(value)
	}
	present.Object["data"] = encoded
	return joined, r.Update(ctx, present, client.FieldOwner(v1alpha1.IncidentFieldManager))
}

func dataOf(secret *unstructured.Unstructured) map[string][]byte {
	fields, _, _ := unstructured.NestedStringMap(secret.Object, "data")
	data := map[string][]byte{}
	for name, text := range fields {
		if value, err := base64.StdEncoding.DecodeString(text); err == nil {
			data[name] = value
		}
	}
	return data
}

// pepperIDs returns the ids of the peppers in a Secret, none of an unusable one.
func pepperIDs(secret *unstructured.Unstructured) (ids []string) {
	ring, err := pepper.Load(dataOf(secret))
	if err != nil {
		return nil
	}
	for i := range ring.Len() {
		ids = append(ids, ring.ID(i))
	}
	return ids
}
