// Package postgres runs a PostgreSQL for tests: one of their own, on a socket in a folder of its own and on no port, which
// is gone when they are, even when they are killed. It can be stopped and started again, and every test can have a
// database of its own in it.
package postgres
