// Package outage tests what a running server does while the API server cannot be reached.
package outage
