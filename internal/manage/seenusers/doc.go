// Package seenusers owns the record of seen users: the name, first and last sighting of each. Anyone can claim
// any name, so everything is bounded:
//
//   - recording a sighting never blocks, and counts once a minute for each name;
//   - up to 10,000 names are recorded in a minute, and as many wait for the store; further names are dropped;
//   - the store holds 10,000 names, and removes those first that were seen over the shortest time;
//   - a name has at most 100 bytes, is printable, is not `admin` in any case, and has no key in it.
//
// Package database holds them.
package seenusers
