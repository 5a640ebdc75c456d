package issuer

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/lifecycle"
)

// Holder is an object that has keys, as its controller describes it for one run.
type Holder struct {
	// Object is the object itself. Its status is brought up to date with every write.
	Object client.Object
	// Kind of the object, as in its manifest.
	Kind string
	// Status points into Object.
	Status *v1alpha1.KeyHolderStatus
	// Spec is what the object asks for. Blocked is set by the issuer.
	Spec lifecycle.Spec
	// Secret is what the Secret is to look like, its key left out.
	Secret Template
	// Refused says why the keys of the object are not accepted though they exist. Nil: they are.
	Refused *Finding
	// InUse names the other object that has recorded this digest, or "". Nil: nobody else can.
	InUse func(ctx context.Context, digest string) (string, error)
	// Block says why nothing may be issued. Nil: it may.
	Block *Finding
}

// Template is a Secret without its key.
type Template struct {
	Labels      map[string]string
	Annotations map[string]string
	// Data goes beside the key: whom it speaks as.
	Data map[string]string
}

// Finding is a condition's reason with a message that a person can act on.
type Finding struct {
	Reason  string
	Message string
}

func (h *Holder) key() client.ObjectKey { return client.ObjectKeyFromObject(h.Object) }

func (h *Holder) id() string { return idOf(h.Kind, h.key()) }

// idOf tells objects of all kinds apart, whether they still exist or not.
func idOf(kind string, object client.ObjectKey) string { return kind + "/" + object.String() }

// secretKey is where the key is delivered.
func (h *Holder) secretKey() client.ObjectKey {
	return client.ObjectKey{Namespace: h.Object.GetNamespace(), Name: h.Spec.SecretName}
}
