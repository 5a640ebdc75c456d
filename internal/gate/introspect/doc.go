// Package introspect tells apps and gateways that ask whether a key is valid and whose it is (RFC 7662). Who may ask,
// and what a key is worth, is for package gate to decide.
package introspect
