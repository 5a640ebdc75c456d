package issuer

import (
	"crypto/sha256"
	"encoding/hex"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Holder is an object that has keys, as its controller describes it for one run.
type Holder struct {
	// Object is the object itself. Its status is brought up to date with every write.
	Object keyholder.Object
	// Spec is what the object asks for. Blocked is set by the issuer.
	Spec lifecycle.Spec
	// Secret is what the Secret is to look like, its key left out.
	Secret Template
	// Refused says why the keys of the object are not accepted though they exist. Nil: they are.
	Refused *Finding
	// Block says why nothing may be issued. Nil: it may.
	Block *Finding
}

// Template is a Secret without its key.
type Template struct {
	// Key is the entry that the key goes into. Empty: key.
	Key         string
	Labels      map[string]string
	Annotations map[string]string
	// Data goes beside the key: whom it speaks as.
	Data map[string]string
}

// Take takes over what a manifest says of its Secret.
func (t *Template) Take(written *v1alpha1.SecretTemplate) {
	t.Key = written.Key
	t.Labels = convert.PlainValues(written.Labels)
	t.Annotations = convert.PlainValues(written.Annotations)
}

// maxRequest is the longest rotation request that status keeps as it is.
const maxRequest = 253

// RequestOf is the rotation that a person asks for by annotation, in a form that fits into status.
func RequestOf(o client.Object) string {
	value := o.GetAnnotations()[v1alpha1.AnnotationRotate]
	if len(value) <= maxRequest {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Finding is a condition's reason with a message that a person can act on.
type Finding struct {
	Reason  string
	Message string
}

func (h *Holder) key() client.ObjectKey { return client.ObjectKeyFromObject(h.Object) }

func (h *Holder) kind() string { return keyholder.KindOf(h.Object) }

// status points into the object.
func (h *Holder) status() *v1alpha1.KeyHolderStatus { return h.Object.HolderStatus() }

func (h *Holder) id() string { return idOf(h.kind(), h.key()) }

// idOf tells objects of all kinds apart, whether they still exist or not.
func idOf(kind string, object client.ObjectKey) string { return kind + "/" + object.String() }

// secretKey is where the key is delivered.
func (h *Holder) secretKey() client.ObjectKey {
	return client.ObjectKey{Namespace: h.Object.GetNamespace(), Name: h.Spec.SecretName}
}
