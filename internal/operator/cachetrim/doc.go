// Package cachetrim keeps cached objects small. It removes the fields that the operator does not read, and lets
// equal parts of different objects share memory. An installation with 100,000 keys has 200,000 objects in the
// operator's cache.
//
// Trimmed objects belong to the cache and share memory: never change them in place.
package cachetrim
