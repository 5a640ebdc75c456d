// Package cachetrim keeps cached objects small: it takes off what the operator does not look at, and has equal parts of
// different objects share their memory. An installation with 100,000 keys has 200,000 objects in the operator's cache.
//
// What comes out belongs to a cache and must never be changed in place: others share it.
package cachetrim
