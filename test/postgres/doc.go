// Package postgres runs a PostgreSQL server for tests, on a socket in its own folder and on no port. The server ends
// with the tests, even if they are killed. It can be stopped and started again, and every test can have its own
// database.
package postgres
