package v1alpha1

// Labels and annotations, all under keywright.dev.
const (
	// AnnotationRotate requests one rotation with each value that is not the last one acted on. Set by a person, on the
	// object.
	AnnotationRotate = "keywright.dev/rotate"
	// AnnotationAdopt with value "true" on a Secret hands its key over to Keywright. Set by a person.
	AnnotationAdopt = "keywright.dev/adopt"
	// AnnotationAcceptNewPepper with value "true" on the pepper Secret gives up all keys digested with another pepper.
	// Set by a person.
	AnnotationAcceptNewPepper = "keywright.dev/accept-new-pepper"
	// AnnotationAllowLastAdminRemoval with value "true" on an AdminUser allows removing the last admin. Set by a person.
	AnnotationAllowLastAdminRemoval = "keywright.dev/allow-last-admin-removal"
	// AnnotationClaimUntil is until when an object waits for a claim link to issue its first key. It is on the object as
	// long as no key of the object was shown. Written by the server, at creation; an admission policy refuses it to
	// everybody else.
	AnnotationClaimUntil = "keywright.dev/claim-until"
	// AnnotationKeyID is the id of the key a Secret holds. Written by the operator, on the Secret.
	AnnotationKeyID = "keywright.dev/key-id"
	// AnnotationIssuedAt is when the key that a Secret holds was first issued. It outlives the object: the lifetime of the
	// key does not start again when another object adopts it. Written by the operator, on the Secret.
	AnnotationIssuedAt = "keywright.dev/issued-at"
	// AnnotationContents is what the operator wrote into a Secret beside the key, as metadata can't show it: the type, the
	// entry of the key, and a hash of the entries of spec.secret.stringData. Written by the operator, on a Secret that has
	// another type than Opaque, or such entries.
	AnnotationContents = "keywright.dev/contents"
	// AnnotationConfiguration is the revision of the configuration that a server runs, or that is in force. Written by the
	// server, on its Lease, and by the operator, on ConfigMaps keywright-config and keywright-runtime.
	AnnotationConfiguration = "keywright.dev/configuration"
	// AnnotationDatabase is "answered" on the Lease of a server whose database has answered since its start. Written by
	// the server.
	AnnotationDatabase = "keywright.dev/database"
	// AnnotationConfigurationStatus is the result of the last check of ConfigMap keywright-config, and
	// AnnotationConfigurationMessage the reason. Written by the operator, on both ConfigMaps.
	AnnotationConfigurationStatus  = "keywright.dev/configuration-status"
	AnnotationConfigurationMessage = "keywright.dev/configuration-message"
	// AnnotationConfigurationVersion is the resourceVersion of keywright-config that was checked. Written by the operator,
	// on both ConfigMaps.
	AnnotationConfigurationVersion = "keywright.dev/configuration-version"
	// LabelCreatedBy with value "api" is on every object that the API created, and on no other: the API changes and
	// deletes only those. Written by the server, at creation; an admission policy refuses it to everybody else.
	LabelCreatedBy = "keywright.dev/created-by"
	// LabelIssuedFor is the kind of the object that a Secret was written for. Written by the operator; it selects the
	// operator's cache of Secrets.
	LabelIssuedFor = "keywright.dev/issued-for"
	// LabelManagedBy with value "keywright" is on the same Secrets, for people and tools. Another value that a Secret has
	// already stays.
	LabelManagedBy = "app.kubernetes.io/managed-by"
)

// Values of AnnotationConfigurationStatus.
const (
	// ConfigurationAccepted: it is in force.
	ConfigurationAccepted = "Accepted"
	// ConfigurationInvalid: it has faults, and the last good one stays in force.
	ConfigurationInvalid = "Invalid"
	// ConfigurationWaiting: it is valid, and waits for the pepper.
	ConfigurationWaiting = "Waiting"
	// ConfigurationAbsent: there is no keywright-config, and every setting has its default.
	ConfigurationAbsent = "Absent"
)

// Values of labels.
const (
	// CreatedByAPI is the value of LabelCreatedBy.
	CreatedByAPI = "api"
	// ManagedByKeywright is the value of LabelManagedBy.
	ManagedByKeywright = "keywright"
)

// Finalizers.
const (
	// FinalizerLastAdmin is on one active AdminUser, which stays if all are deleted at once.
	FinalizerLastAdmin = "keywright.dev/last-admin"
	// FinalizerKeepSecret is on an object whose Secret outlives it: because of spec.secret.deletionPolicy, or because a
	// person annotated the Secret for adoption.
	FinalizerKeepSecret = "keywright.dev/keep-secret" //nolint:gosec // a finalizer's name
)

// PepperSecret is the Secret of the instance's peppers, in Keywright's own namespace.
const PepperSecret = "keywright-pepper"

// ConfigMaps in Keywright's own namespace.
const (
	// ConfigMapConfig is the service's configuration, written by people.
	ConfigMapConfig = "keywright-config"
	// ConfigMapRuntime is the runtime configuration, written by the operator and read by the server.
	ConfigMapRuntime = "keywright-runtime"
)

// Keys of the data in a delivered Secret.
const (
	// SecretKey holds the plaintext of the key, unless spec.secret.dataKey names another entry.
	SecretKey = "key"
	// SecretUsername holds the username of an admin key.
	SecretUsername = "username"
	// SecretSubject holds <kind>/<name> of the subject of an API key.
	SecretSubject = "subject"
)

// FieldManager is the field manager of the operator. If it still owns the data of a Secret, no other writer changed
// them; metadata alone proves that.
const FieldManager = "keywright"

// IncidentFieldManager is the field manager for changes by hand to objects from Git. Flux takes over what a manager
// whose name begins with "kubectl" wrote, and removes it if Git does not have it.
const IncidentFieldManager = "keywright-incident"
