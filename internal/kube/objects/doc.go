// Package objects owns what the server reads and writes of custom resources beside its watch: live, without a cache, and
// in force at this server when a call returns. It issues the keys that are delivered in a reply.
//
// Who may do what, and what a request means, is decided by its callers. What the server's account may write at all is
// limited by config/rbac and config/admission/server_writes.yaml.
package objects
