package v1alpha1

// Each server has a Lease in Keywright's own namespace that says that it runs, and with which configuration
// (AnnotationConfiguration).
const (
	// ServerLeasePrefix is what its name begins with. Admission lets servers write no other Lease.
	ServerLeasePrefix = "keywright-server-"
	// ServerFieldManager is the name under which servers write.
	ServerFieldManager = "keywright-server"
)

// ServerLeaseLabels are on the Lease of each server. The operator's cache of Leases is selected by them.
func ServerLeaseLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "keywright", "app.kubernetes.io/component": "server"}
}
