// Package issuer carries out the decisions of package lifecycle for every kind of key object. It observes the
// Secret, generates or adopts a key, writes status and Secret one step at a time, and reports the outcome in
// conditions, events and metrics.
//
// It does not distinguish AdminUser from other kinds: a controller describes its object as a Target. When a key
// is issued, rotated or ended is decided by lifecycle alone.
package issuer
