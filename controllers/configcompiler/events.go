package configcompiler

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/config"
)

// maxNote keeps the text of an event below the 1024 bytes that there may be.
const maxNote = 900

// edit is what an event is about: a version of the configuration and, where it points to one, a version of a
// Secret. Events of the same of both are one that happened again, and keep the text of the first.
type edit struct {
	config *corev1.ConfigMap
	// secret is nil for none.
	secret runtime.Object
}

// announce tells what is in force now. Of a configuration that is not there nothing can be told.
func (r *Reconciler) announce(e edit, p publication, plaintext bool) {
	if e.config.UID == "" {
		return
	}
	text := "It comes to the same as before"
	if changes := p.changes(); len(changes) > 0 {
		text = "Changed: " + config.Cut(strings.Join(changes, ", "), maxNote)
	}
	r.Events.Eventf(e.config, e.secret, corev1.EventTypeNormal, v1alpha1.EventConfigApplied, "Apply",
		"%s. The configuration is checked and handed to the servers as revision %s.", text, config.Revision(p.document))
	if plaintext {
		r.Events.Eventf(e.config, e.secret, corev1.EventTypeWarning, v1alpha1.EventPlaintextKey, "Apply",
			"%s holds the bootstrap key in plaintext: put it into a Secret and name that in %s.", config.KeyAdminKey, config.KeyAdminKeySecret)
	}
}

// restored tells that the configuration is in force again although nobody edited it. It says the same each
// time, for that is one event.
func (r *Reconciler) restored(e edit, p publication) {
	if e.config.UID == "" {
		return
	}
	r.Events.Eventf(e.config, e.secret, corev1.EventTypeNormal, v1alpha1.EventConfigApplied, "Restore",
		"Somebody else changed ConfigMap %s: it is put back, as revision %s.", v1alpha1.ConfigMapRuntime, config.Revision(p.document))
}

func (r *Reconciler) refuse(e edit, faults []config.Fault) {
	r.warn(e, v1alpha1.EventConfigInvalid, config.Summary(faults, maxNote))
}

// warn tells why the configuration is not in force, once. What runs goes on with the last good one.
func (r *Reconciler) warn(e edit, reason, text string) {
	if r.told == e.config.ResourceVersion+text {
		return
	}
	r.told = e.config.ResourceVersion + text
	r.Events.Eventf(e.config, e.secret, corev1.EventTypeWarning, reason, "Refuse",
		"%s. The last good configuration stays in force.", config.Cut(text, maxNote))
}
