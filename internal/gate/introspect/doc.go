// Package introspect serves token introspection (RFC 7662): apps and gateways ask whether a key is valid and whose
// it is. Package gate decides who may ask, and verifies the key.
package introspect
