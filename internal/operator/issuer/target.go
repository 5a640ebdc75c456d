package issuer

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// Target is a key object with the state that its controller wants, for one run.
type Target struct {
	// Object is the object itself. Its status is updated with every write.
	Object keyholder.Object
	// Spec is what the object asks for. The issuer sets Blocked and AwaitUntil.
	Spec lifecycle.Spec
	// Secret is the Secret to write, without the key.
	Secret Template
	// Refused is why the object's keys are refused. Nil: they are accepted.
	Refused *Finding
	// Idle is why a key that is not refused, and has not ended, may do nothing. Nil: it may use its rights.
	Idle *Finding
	// WithinBudget is the content of condition WithinBudget. Nil: no budget applies, and there is no such condition.
	WithinBudget *WithinBudget
	// OwnerID is the id of the user that the keys of an APIKey belong to if they belong to none yet. Empty: there is no
	// such AdminUser.
	OwnerID string
	// OwnerGone is true if the keys belong to a user who is gone.
	OwnerGone bool
	// Blocked is why nothing may be issued. Nil: keys may be issued.
	Blocked *Finding
}

// Finding is a condition's reason, and a message that a person can act on.
type Finding struct {
	Reason  string
	Message string
}

// WithinBudget is the content of condition WithinBudget.
type WithinBudget struct {
	Finding
	// Holds is false while a budget that is used up has refused requests or warned of them.
	Holds bool
	// Until is when the content may change by itself. Zero: it doesn't.
	Until time.Time
}

// Template is a Secret without its key.
type Template struct {
	// Type of the Secret. Empty: Opaque.
	Type v1alpha1.SecretType
	// DataKey is the name of the entry that holds the key. Empty: "key".
	DataKey     string
	Labels      map[string]string
	Annotations map[string]string
	// Identity is written beside the key: whom the key speaks as.
	Identity map[string]string
	// StringData are further entries, which may change without a new key.
	StringData map[string]string
}

// CopyFrom copies what a manifest sets for its Secret.
func (t *Template) CopyFrom(written *v1alpha1.SecretTemplate) {
	t.DataKey = written.DataKey
	t.Labels = convert.PlainValues(written.Labels)
	t.Annotations = convert.PlainValues(written.Annotations)
}

func (t *Target) key() client.ObjectKey { return client.ObjectKeyFromObject(t.Object) }

func (t *Target) kind() string { return keyholder.KindOf(t.Object) }

// status points into the object.
func (t *Target) status() *v1alpha1.KeyHolderStatus { return t.Object.HolderStatus() }

func (t *Target) id() string { return idOf(t.kind(), t.key()) }

// idOf identifies an object among those of all kinds, whether or not it still exists.
func idOf(kind string, object client.ObjectKey) string { return kind + "/" + object.String() }

// secretKey is the name of the Secret that the key is delivered to.
func (t *Target) secretKey() client.ObjectKey {
	return client.ObjectKey{Namespace: t.Object.GetNamespace(), Name: t.Spec.SecretName}
}
