// Package outage tests what a running server does while the API server can't be reached.
package outage
