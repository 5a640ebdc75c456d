// Package peppersecret is the controller of Secret keywright-pepper. It creates the first pepper while no key
// exists, provides the keyring to the issuer, and stops all issuing when the pepper is lost, broken or a
// different one. What a pepper is and how it digests keys is defined by internal/key/pepper.
package peppersecret
