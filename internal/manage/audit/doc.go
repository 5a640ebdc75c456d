// Package audit owns the trail of what was done to users and keys: who did what, to whom, from where, and how it ended.
// An entry is written before the answer goes out. While the store can't take it, it waits in memory, within bounds:
//
//   - at most 10,000 entries wait, of at most 2 KiB each; beyond that the oldest leave;
//   - what leaves so, and what still waits when the program ends, is in the log instead, and counted;
//   - an entry that was written twice, for nobody knew whether the first time had worked, is there once.
//
// No entry holds a secret: it is made of names, and what looks like a key is taken out. Where entries are kept is for
// package database.
package audit
