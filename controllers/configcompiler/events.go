package configcompiler

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// maxNote keeps the note of an event below the limit of 1024 bytes.
const maxNote = 900

// inputs are the objects that an event is about: a version of the configuration, and a version of the Secret
// that it points to, if any. The API server merges events about the same inputs and keeps the note of the
// first.
type inputs struct {
	config *corev1.ConfigMap
	// secret is nil if the configuration points to no Secret.
	secret runtime.Object
}

// emitApplied reports what is in force now. Without a ConfigMap there is no object for the event.
func (r *Reconciler) emitApplied(in inputs, p publication, plaintext bool) {
	if in.config.UID == "" {
		return
	}
	text := "Nothing changed"
	if changes := p.changes(); len(changes) > 0 {
		text = "Changed: " + config.Cut(strings.Join(changes, ", "), maxNote)
	}
	r.Events.Eventf(in.config, in.secret, corev1.EventTypeNormal, v1alpha1.EventConfigApplied, "Apply",
		"%s. The configuration is valid and published to the servers as revision %s.", text, config.Revision(p.document))
	if plaintext {
		r.Events.Eventf(in.config, in.secret, corev1.EventTypeWarning, v1alpha1.EventPlaintextKey, "Apply",
			"%s holds the bootstrap key in plaintext: put it into a Secret and name that in %s.",
			config.KeyAdminKey, config.KeyAdminKeySecret)
	}
}

// emitRestored reports that the configuration was published again although it was not edited. Its note is always the
// same and it is about no version of keywright-config, which the operator's own annotations change, so that the API
// server merges all such events.
func (r *Reconciler) emitRestored(configMap *corev1.ConfigMap) {
	if configMap.UID == "" {
		return
	}
	anyVersion := configMap.DeepCopy()
	anyVersion.ResourceVersion = ""
	r.Events.Eventf(anyVersion, nil, corev1.EventTypeNormal, v1alpha1.EventConfigApplied, "Restore",
		"ConfigMap %s was changed by another client and is restored.", v1alpha1.ConfigMapRuntime)
}

// isRemoved reports whether keywright-config was deleted since the last check, by this operator or an earlier one.
func (r *Reconciler) isRemoved(configMap *corev1.ConfigMap, p publication) bool {
	if configMap.UID != "" {
		return false
	}
	if r.applied != nil {
		return *r.applied != ""
	}
	status := p.runtime.Annotations[v1alpha1.AnnotationConfigurationStatus]
	return status != "" && status != v1alpha1.ConfigurationAbsent
}

// emitRemoved reports on the system namespace that keywright-config was deleted. The namespace names itself as its
// own, so that the event is in it: RBAC allows no other in an installation with single namespaces.
func (r *Reconciler) emitRemoved(p publication) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Namespace}}
	text := "Nothing changed"
	if changes := p.changes(); len(changes) > 0 {
		text = "Changed: " + config.Cut(strings.Join(changes, ", "), maxNote/2)
	}
	r.Events.Eventf(namespace, p.runtime, corev1.EventTypeWarning, v1alpha1.EventConfigRemoved, "Reset",
		"ConfigMap %s was deleted, so every setting has its default, the allow list and the routes too. %s. "+
			"If a kustomize generator renamed it, set disableNameSuffixHash: true.", v1alpha1.ConfigMapConfig, text)
}

// warn reports once why the configuration is not in force. The servers keep the last good one.
func (r *Reconciler) warn(in inputs, reason, text string) {
	current := warning{version: in.config.ResourceVersion, text: text}
	if r.lastWarning == current {
		return
	}
	r.lastWarning = current
	r.Events.Eventf(in.config, in.secret, corev1.EventTypeWarning, reason, "Refuse", "%s", unchanged(text))
}

// warning is a reported fault of one version of the configuration. The zero value stands for no warning.
type warning struct{ version, text string }

// unchanged adds to a fault what follows from it.
func unchanged(fault string) string {
	return config.Cut(fault, maxNote) + ". The last good configuration stays in force."
}
