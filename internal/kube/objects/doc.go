// Package objects reads and writes custom resources for management, beside the server's watch: live and without a
// cache. When a write returns, it is in force at this server. The package issues the keys that are delivered in a
// reply.
//
// Its callers decide what a request means and who may make it. config/rbac and config/admission/server_writes.yaml
// limit what the server's account may write at all.
package objects
