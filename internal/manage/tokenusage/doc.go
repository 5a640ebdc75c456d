// Package tokenusage records and reports token usage for the callers of management. It authorizes each call and bounds
// how many writes run at once. Package usage owns records, reports and the store.
//
// The audit trail has no entry for a report of usage: the records name their reporter.
package tokenusage
