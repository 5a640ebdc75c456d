// Package verify owns who a presented key speaks as: the index of keys, and the decision made with it.
// Package access decides what a caller may do; package clusterwatch fills the index.
//
// A key is looked up by its HMAC under a pepper of the instance. The time that a look-up takes may reveal
// something about the HMACs in the index. That does not help an attacker: the HMAC of a guess cannot be computed
// without the pepper, and even a complete HMAC does not reveal the key. No plaintext is kept or compared, so
// nothing else needs constant time.
//
// Writers take turns, and readers take no lock. A change is in force for every Verify that begins after
// the writing call has returned.
package verify
