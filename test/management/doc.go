// Package management tests how users and keys are managed over HTTP, with everything together: the operator, servers on a
// real database, and clients as people use them. docs/api.md runs here as it stands.
package management
