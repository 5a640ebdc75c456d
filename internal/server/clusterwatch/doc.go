// Package clusterwatch keeps the server's view of the cluster in step: it watches AdminUsers and the runtime configuration and
// writes what they say into the index of verify. It keeps no object, only what the index needs of it.
//
// While the API server is away the view stays as it was last seen.
package clusterwatch
