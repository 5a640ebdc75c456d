package v1alpha1

// Labels and annotations, all under keywright.dev.
const (
	// AnnotationRotate asks for one rotation: any value not seen before. Set by a person, on the object.
	AnnotationRotate = "keywright.dev/rotate"
	// AnnotationAdopt with value "true" on a Secret hands its key over to Keywright. Set by a person.
	AnnotationAdopt = "keywright.dev/adopt"
	// AnnotationAcceptNewPepper with value "true" on the pepper Secret gives up all keys digested with another one.
	// Set by a person.
	AnnotationAcceptNewPepper = "keywright.dev/accept-new-pepper"
	// AnnotationKeyID is the id of the key a Secret holds. Written by the operator, on the Secret.
	AnnotationKeyID = "keywright.dev/key-id"
	// LabelIssuedFor is the kind of the object that a Secret was written for. Written by the operator;
	// its cache of Secrets is selected by it.
	LabelIssuedFor = "keywright.dev/issued-for"
)

// PepperSecret is the Secret of the instance's peppers, in Keywright's own namespace.
const PepperSecret = "keywright-pepper"

// ConfigMaps in Keywright's own namespace.
const (
	// ConfigMapConfig is the service's configuration, written by people.
	ConfigMapConfig = "keywright-config"
	// ConfigMapRuntime is what the operator compiled from it, read by the server.
	ConfigMapRuntime = "keywright-runtime"
)

// Keys of the data in a delivered Secret.
const (
	// SecretKey holds the plaintext of the API key.
	SecretKey = "key"
	// SecretUsername holds the username an admin key speaks as.
	SecretUsername = "username"
)

// FieldManager is the name under which the operator writes. That it still owns a
// Secret's data proves, from metadata alone, that nobody else changed it.
const FieldManager = "keywright"
