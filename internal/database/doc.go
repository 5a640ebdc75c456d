// Package database keeps what is no Kubernetes object: sessions, last uses, users who were seen, and the audit trail. It
// implements the stores that the packages sessions, lastuse, seen and audit ask for, on SQLite (one file, one server) and on
// PostgreSQL (any number of servers), with the same statements and the same answers. It decides nothing.
//
// These bounds hold, whatever the database does:
//
//   - an operation ends within 2 seconds, with an error that wraps ErrDown when the database could not do it; while it
//     is known to be away, at once;
//   - a database that is back is noticed within a second, by Run, and so is a SQLite file that was taken away; a
//     PostgreSQL that says nothing any more, which nobody happens to use, within 3 seconds;
//   - Watch says within 2 seconds that it hears nothing any more;
//   - the connections that are used for statements are a pool (pool_max_conns), Watch has one of its own, and so has
//     each turn that this server has or waits for: one for a name.
//
// Statements are constants; everything else is a parameter of theirs. No error and no log line holds a password.
package database
