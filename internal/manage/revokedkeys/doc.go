// Package revokedkeys remembers the keys that were revoked, so that they are refused for good, whatever object records
// them later: a key can come back by an adoption in another object, and by a restored backup.
//
// It takes the digests from the objects that are revoked or whose user is demoted, and from deletions and demotions
// through the API. The database stores them for all replicas, and each replica refuses them in its index. While the
// database is away, a replica refuses what it has read before, and what it has revoked or seen revoked itself.
package revokedkeys
