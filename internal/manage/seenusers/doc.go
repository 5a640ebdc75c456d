// Package seenusers owns the memory of who came by and has no AdminUser: their names, when first and when last. Names are
// claims that anybody can make, so all of it is bounded:
//
//   - noting a sighting never waits, and counts once a minute for a name;
//   - 10,000 names are noted in a minute, and as many wait for the store; what comes beyond that is not noted;
//   - the store keeps 10,000 names, and lets those go first that were there for the shortest time;
//   - a name has 100 bytes at the most, is printable, is not `admin` in any case, and does not look like a key.
//
// Where they are kept is for package database.
package seenusers
