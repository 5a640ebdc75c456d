// Package database stores everything that is not a Kubernetes object: sessions, last uses, seen users, revoked
// keys, claim links, the audit trail and token usage.
//
// It implements the stores of the packages sessions, lastuse, seenusers, revokedkeys, claims/link, audit and usage, on
// SQLite (one file, one server) and on PostgreSQL (any number of servers), with the same statements and the same
// results. It makes no decisions.
//
// Every table is bounded by age and by number of rows. While the volume of a SQLite file is almost full, last uses,
// seen users and token usage are not written.
//
// These bounds hold in every state of the database:
//
//   - an operation ends within 2 seconds, and at once while the database is known to be unavailable; it returns
//     an error that wraps ErrDown;
//   - Run detects within a second that a database is back or that a SQLite file was removed, and within 3
//     seconds that an idle PostgreSQL does not respond;
//   - Watch reports within 2 seconds that it receives no revocation notices;
//   - statements use a pool of connections (pool_max_conns); Watch uses one more, and so does each turn that
//     this server holds or waits for.
//
// Statements are constants; all values are parameters. No error and no log line contains a password.
package database
