// Package heartbeat maintains a Lease in the system namespace while a server runs. The Lease names the replica
// and the configuration that it runs; the operator reads it to find out when every replica runs a new
// configuration. A new server reads the Leases of the others to find out whether one of them has a database. A server
// that cannot write its Lease continues without it.
package heartbeat
