// Package heartbeat keeps a Lease in the system namespace for as long as a server runs: who it is, that it is alive, and
// which configuration it has. The operator reads it to tell when all servers have a new one. Nothing here decides on a
// request: where the Lease can't be written the server goes on without.
package heartbeat
