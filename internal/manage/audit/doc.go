// Package audit owns the audit trail of management: who did what to which user or key, from where, and with what
// outcome. An entry is written before the reply is sent. What repeats is counted, so that no caller can fill the store:
//
//   - of what a caller is refused or fails to do, by action, the first is an entry; those that follow are one entry a
//     minute, with their number;
//   - the same holds for what is done again without a difference;
//   - what one request is refused is one entry, if its surface collects it in a Batch;
//   - at most 1,000 kinds are counted at a time. Beyond that refusals are one kind.
//
// While the store is unavailable, entries wait in memory:
//
//   - at most 10,000 entries of at most 2 KiB wait; beyond that the oldest are dropped;
//   - dropped entries, and those that still wait when the program ends, are logged and counted;
//   - an entry that is written twice, because the result of the first write was lost, is stored once.
//
// Entries contain names only. Keys are removed. Package database holds the entries and bounds them.
package audit
