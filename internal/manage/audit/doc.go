// Package audit owns the audit trail of management: who did what to which user or key, from where, and with what
// outcome. An entry is written before the reply is sent. While the store is unavailable, entries wait in memory:
//
//   - at most 10,000 entries of at most 2 KiB wait; beyond that the oldest are dropped;
//   - dropped entries, and those that still wait when the program ends, are logged and counted;
//   - an entry that is written twice, because the result of the first write was lost, is stored once.
//
// Entries contain names only. Anything that looks like a key is removed. Package database holds the entries.
package audit
