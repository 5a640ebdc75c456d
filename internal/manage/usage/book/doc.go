// Package book keeps the counters of budgets in memory, where the gate decides with them. The counters themselves
// are in the database, which counts each record in the transaction that stores it.
//
// A replica reads the counters of the budgets in force every second, and those of a reporter before it acknowledges the
// report. So a report is in force at once at the replica that took it, and within about a second at the others.
// While the database is away the last known counters stay in force. A counter that was never read in its period
// lets requests through.
//
// A Reporter records on each APIKey which budgets have refused its requests, or warned of them.
package book
