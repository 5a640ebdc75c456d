// Package peppersecret is the controller of Secret keywright-pepper: it creates the first pepper when no key
// exists yet, gives the keyring to whoever issues keys, and stops all issuing when the pepper is lost, broken
// or foreign. What a pepper is and how it digests is internal/pepper's business.
package peppersecret
