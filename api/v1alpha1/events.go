package v1alpha1

// Reasons of events. A stall is reported by an event with the reason of condition Stalled.
const (
	EventKeyIssued  = "KeyIssued"
	EventKeyRotated = "KeyRotated"
	EventKeyAdopted = "KeyAdopted"
	EventKeyRevoked = "KeyRevoked"
	EventKeyEnded   = "KeyEnded"
	EventKeyExpired = "KeyExpired"
	// EventOwnerChanged: a rotation has made an APIKey the key of another user than before.
	EventOwnerChanged  = "OwnerChanged"
	EventSecretDeleted = "SecretDeleted"
	EventSecretChanged = "SecretChanged"
	// EventSecretRemoved: Keywright deleted a Secret that it had written. On the Secret if its owner is gone.
	EventSecretRemoved = "SecretRemoved"
	// EventRotationRefused: a rotation was requested by annotation that only the API can do.
	EventRotationRefused = "RotationRefused"
	// Emitted by the server, for changes through the API. Rotations and revocations have the operator's reasons.
	EventCreated           = "Created"
	EventChanged           = "Changed"
	EventDeleted           = "Deleted"
	EventPromoted          = "Promoted"
	EventDemoted           = "Demoted"
	EventDisabled          = "Disabled"
	EventEnabled           = "Enabled"
	EventRotationRequested = "RotationRequested"
	// On ConfigMap keywright-config.
	EventConfigApplied = "ConfigApplied"
	EventConfigInvalid = "ConfigInvalid"
	EventConfigWaits   = "ConfigWaits"
	EventConfigRunning = "ConfigRunning"
	EventConfigLags    = "ConfigLags"
	EventPlaintextKey  = "PlaintextKey"
	// EventConfigRemoved, on the system namespace: ConfigMap keywright-config was deleted.
	EventConfigRemoved = "ConfigRemoved"
	// EventConfigMisnamed, on a ConfigMap whose name only contains that of the configuration.
	EventConfigMisnamed = "ConfigMisnamed"
	// EventDoubtfulNames: the allow list has names that mix scripts or match no object.
	EventDoubtfulNames = "DoubtfulNames"
	// EventKeysEnded: an edit of MAX_TTL or DEFAULT_TTL has ended keys at once.
	EventKeysEnded = "KeysEnded"
	// On the Pod of a server.
	EventLowDiskSpace = "LowDiskSpace"
	// EventDatabaseUnavailable: the database of a new replica has not answered yet.
	EventDatabaseUnavailable = "DatabaseUnavailable"
	// EventPricesRefused: the file with prices of AI models can't be used.
	EventPricesRefused = "PricesRefused"
)
