// Package eventlog keeps, for the suites of the controllers, the events that would be written to the API server.
package eventlog
