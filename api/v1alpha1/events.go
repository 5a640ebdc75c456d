package v1alpha1

// Reasons of events. A stall is told by an event with the reason of the Stalled condition.
const (
	EventKeyIssued     = "KeyIssued"
	EventKeyRotated    = "KeyRotated"
	EventKeyAdopted    = "KeyAdopted"
	EventKeyRevoked    = "KeyRevoked"
	EventKeyEnded      = "KeyEnded"
	EventKeyExpired    = "KeyExpired"
	EventSecretDeleted = "SecretDeleted"
	EventSecretChanged = "SecretChanged"
	// EventRotationRefused: a rotation was asked for by annotation that only the API can do.
	EventRotationRefused = "RotationRefused"
	// On objects, by the server: what somebody did through the API. A rotation and a revocation are told as the operator's are.
	EventCreated           = "Created"
	EventChanged           = "Changed"
	EventDeleted           = "Deleted"
	EventPromoted          = "Promoted"
	EventDemoted           = "Demoted"
	EventRotationRequested = "RotationRequested"
	// On ConfigMap keywright-config.
	EventConfigApplied = "ConfigApplied"
	EventConfigInvalid = "ConfigInvalid"
	EventConfigWaits   = "ConfigWaits"
	EventConfigRunning = "ConfigRunning"
	EventConfigLags    = "ConfigLags"
	EventPlaintextKey  = "PlaintextKey"
)
