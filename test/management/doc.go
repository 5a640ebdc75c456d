// Package management tests the management of users and keys over HTTP, with the operator, servers on a real database,
// and real clients. It runs the commands of docs/api.md.
package management
