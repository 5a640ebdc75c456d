// Package apiclient is a typed client of Keywright's HTTP API: users, sessions, keys, token usage and introspection.
// It decides nothing: each method is one request, and an error carries what the server replied. A request that the
// server is too busy for is repeated once.
package apiclient
