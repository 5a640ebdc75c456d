package v1alpha1

// Each server has a Lease in Keywright's own namespace, which reports that it runs, and its configuration
// (AnnotationConfiguration).
const (
	// ServerLeasePrefix is the beginning of the name of each server's Lease. Admission allows servers no other Lease.
	ServerLeasePrefix = "keywright-server-"
	// ServerFieldManager is the field manager of servers.
	ServerFieldManager = "keywright-server"
)

// ServerLeaseLabels returns the labels of each server's Lease. They select the operator's cache of Leases.
func ServerLeaseLabels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "keywright", "app.kubernetes.io/component": "server"}
}
