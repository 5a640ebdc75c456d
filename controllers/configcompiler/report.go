package configcompiler

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// rewriteAfter is the pause before a second write of the same result, so that it is in another second.
const rewriteAfter = 1100 * time.Millisecond

// reportedBy are the annotations that report a check.
var reportedBy = []string{
	v1alpha1.AnnotationConfiguration, v1alpha1.AnnotationConfigurationStatus, v1alpha1.AnnotationConfigurationMessage,
	v1alpha1.AnnotationConfigurationVersion,
}

// annotationsOf returns the annotations of a ConfigMap that report a check.
func annotationsOf(configMap *corev1.ConfigMap) map[string]string {
	found := map[string]string{}
	for _, name := range reportedBy {
		if value, ok := configMap.Annotations[name]; ok {
			found[name] = value
		}
	}
	return found
}

// reportAccepted reports the configuration in force.
func (r *Reconciler) reportAccepted(ctx context.Context, configMap *corev1.ConfigMap) (time.Duration, error) {
	if configMap.UID == "" {
		return r.report(ctx, configMap, v1alpha1.ConfigurationAbsent, fmt.Sprintf(
			"ConfigMap %s does not exist: every setting has its default.", v1alpha1.ConfigMapConfig))
	}
	return r.report(ctx, configMap, v1alpha1.ConfigurationAccepted, fmt.Sprintf(
		"Published to the servers as revision %s.", config.Revision(r.lastGood)))
}

// report writes the result of a check as annotations, for pipelines: on keywright-config, from which a health check
// reads them, and on keywright-runtime. There the version is that of keywright-config after the operator's own write:
// while the two are equal, the result is about its present content. report returns when to report again; 0: never.
func (r *Reconciler) report(
	ctx context.Context, configMap *corev1.ConfigMap, status, message string,
) (again time.Duration, err error) {
	present, err := r.readRuntime(ctx)
	if err != nil {
		return 0, err
	}
	wanted := map[string]string{
		v1alpha1.AnnotationConfigurationStatus:  status,
		v1alpha1.AnnotationConfigurationMessage: message,
	}
	if r.lastGood != "" {
		wanted[v1alpha1.AnnotationConfiguration] = config.Revision(r.lastGood)
	}
	if r.reported == "" {
		r.reported = present.Annotations[v1alpha1.AnnotationConfigurationVersion]
	}
	if configMap.UID != "" {
		if again, err = r.annotateConfig(ctx, configMap, wanted); err != nil {
			return 0, err
		}
		wanted[v1alpha1.AnnotationConfigurationVersion] = configMap.ResourceVersion
	}
	if r.lastGood == "" || maps.Equal(annotationsOf(present), wanted) {
		return again, nil
	}
	return again, r.applyRuntime(ctx, r.lastGood, wanted)
}

// annotateConfig annotates keywright-config after each write of others, even if the result is the same: a health check
// finds in the managed fields that the operator's write is the latest. Their times are whole seconds, so it may take a
// second write.
func (r *Reconciler) annotateConfig(
	ctx context.Context, configMap *corev1.ConfigMap, wanted map[string]string,
) (again time.Duration, err error) {
	if configMap.ResourceVersion == r.reported && shows(configMap, wanted) {
		if isLatest(configMap) {
			return 0, nil
		}
		if wait := rewriteAfter - r.Clock.Since(r.reportedAt); wait > 0 {
			return wait, nil
		}
	}
	before := configMap.ResourceVersion
	err = r.patchConfig(ctx, configMap, wanted)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		// It was changed or deleted in the meantime, and that is checked next.
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	r.followOwnWrite(before, configMap.ResourceVersion)
	if !isLatest(configMap) {
		again = rewriteAfter
	}
	return again, nil
}

// patchConfig replaces the annotations of this version of keywright-config that report a check.
func (r *Reconciler) patchConfig(ctx context.Context, configMap *corev1.ConfigMap, wanted map[string]string) error {
	annotations := map[string]any{}
	for _, name := range reportedBy {
		annotations[name] = nil
	}
	for name, value := range wanted {
		annotations[name] = value
	}
	annotations[v1alpha1.AnnotationConfigurationVersion] = configMap.ResourceVersion
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": configMap.ResourceVersion, "annotations": annotations},
	})
	if err != nil {
		return err
	}
	return r.Client.Patch(ctx, configMap, client.RawPatch(types.MergePatchType, patch),
		client.FieldOwner(v1alpha1.FieldManager))
}

// isLatest reports whether the operator's write is later than those of all others, as far as seconds show it.
func isLatest(o client.Object) bool {
	var ours, others time.Time
	for _, entry := range o.GetManagedFields() {
		latest := &others
		if entry.Manager == v1alpha1.FieldManager {
			latest = &ours
		}
		if entry.Time != nil && entry.Time.After(*latest) {
			*latest = entry.Time.Time
		}
	}
	return ours.After(others)
}

// shows reports whether a ConfigMap has these of the annotations that report a check, and a version.
func shows(configMap *corev1.ConfigMap, wanted map[string]string) bool {
	have := annotationsOf(configMap)
	delete(have, v1alpha1.AnnotationConfigurationVersion)
	return maps.Equal(have, wanted)
}

// followOwnWrite records that a version of the configuration differs from an earlier one in annotations only, so that
// the operator's own write is not an edit.
func (r *Reconciler) followOwnWrite(before, after string) {
	r.reported, r.reportedAt = after, r.Clock.Now()
	if r.applied != nil && *r.applied == before {
		r.applied = &after
	}
	if r.lastWarning.version == before {
		r.lastWarning.version = after
	}
}
