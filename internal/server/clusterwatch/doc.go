// Package clusterwatch keeps the server's view of the cluster up to date: it watches AdminUsers, APIKeys, AccessRoles,
// AccessRoleBindings and the runtime configuration, and writes them into the index of package verify. It stores only
// what the index needs.
//
// While the API server is unreachable, the view stays as it was. Its age counts from the latest instant whose objects
// it is known to have: see freshness. A list of all objects replaces the view even if it is older, as after a restore.
package clusterwatch
