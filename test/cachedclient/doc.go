// Package cachedclient gives suites a client that reads as the operator's does, from a cache with indexes, without the
// operator's manager.
package cachedclient
