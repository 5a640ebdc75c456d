// Package verify owns who a presented key speaks as: the index of keys and the decision made with it.
// What a caller may do is not decided here, nor where the objects in the index come from.
//
// A key is looked up by its HMAC under the instance's pepper. How long that takes may tell something about the HMACs
// in the index, and that is no use to anybody: without the pepper nobody can compute the HMAC of a guess, and a
// whole HMAC gives no key away. No plaintext is kept or compared, so nothing else needs constant time.
//
// Writers take turns and readers take no lock: a revocation is in force for every Verify that begins after the call
// that brought it has returned.
package verify
