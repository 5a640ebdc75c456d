// Package claims hands new keys over by one-time links instead of showing them to the creator. A link is made together
// with an AdminUser or an APIKey that has no key yet, or for one that exists, whose key it rotates. The first claim of
// the link issues the key and ends the link.
//
// A claim is an act of the link's creator. It needs the creator's key to be accepted at that time, with the rights to
// issue this key. If they are missing, the claim is refused and the link stays open: a creator who was disabled may be
// enabled again.
//
// # Order of writes
//
// A claim reserves the link for a minute, issues the key, marks the link as used, and only then returns the key. Each
// step is one conditional write, so of several claims on any number of replicas one succeeds.
//
//   - An end of the server before the link is marked loses nothing: no key was shown. When the reservation is over,
//     the link can be claimed again. A key that was recorded already is replaced: as long as the object has annotation
//     keywright.dev/claim-until, no key of it was shown.
//   - A key that is issued in another way, such as a rotation, removes that annotation first. The link is void then.
//   - After the link is marked, the reply is the only place for the key, as everywhere in management.
//
// A link that is withdrawn, or ends, takes its object with it, if the object still waits for its first key.
//
// # Rotations
//
// A link for a rotation changes nothing on its object until it is claimed. It has the key id of the key that was
// current when it was made. A claim stores the key id of the new key in the link before it records the key on the
// object: so a later claim replaces the key of one that was interrupted, and no other. If another key is current, one
// was issued in another way, and the link is void. A key that was recorded and not shown ends as the rotated key does.
package claims
