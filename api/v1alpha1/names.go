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
	// AnnotationAllowLastAdminRemoval with value "true" on an AdminUser lets the last admin go. Set by a person.
	AnnotationAllowLastAdminRemoval = "keywright.dev/allow-last-admin-removal"
	// AnnotationCreatedBy with value "api" is on every object that the API made, and on no other: those alone it may change
	// and delete. Written by the server, at creation.
	AnnotationCreatedBy = "keywright.dev/created-by"
	// AnnotationKeyID is the id of the key a Secret holds. Written by the operator, on the Secret.
	AnnotationKeyID = "keywright.dev/key-id"
	// AnnotationConfiguration is the revision of the configuration that a server runs. Written by the server, on its Lease.
	AnnotationConfiguration = "keywright.dev/configuration"
	// LabelIssuedFor is the kind of the object that a Secret was written for. Written by the operator;
	// its cache of Secrets is selected by it.
	LabelIssuedFor = "keywright.dev/issued-for"
)

// CreatedByAPI is the value of AnnotationCreatedBy.
const CreatedByAPI = "api"

// Finalizers, on the objects that need them for as long as they do.
const (
	// FinalizerLastAdmin is on one active AdminUser: should all be deleted at once, that one stays.
	FinalizerLastAdmin = "keywright.dev/last-admin"
	// FinalizerKeepSecret is on an object whose Secret a person annotated for adoption: the Secret outlives it.
	FinalizerKeepSecret = "keywright.dev/keep-secret" //nolint:gosec // a finalizer's name
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
	// SecretKey holds the plaintext of the key, unless spec.secret.key names another entry.
	SecretKey = "key"
	// SecretUsername holds the username an admin key speaks as.
	SecretUsername = "username"
	// SecretSubject holds <kind>/<name> of the subject an API key speaks as.
	SecretSubject = "subject"
)

// FieldManager is the name under which the operator writes. That it still owns a
// Secret's data proves, from metadata alone, that nobody else changed it.
const FieldManager = "keywright"
