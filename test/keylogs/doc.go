// Package keylogs tests that no key that comes with a request is in what the programs write, wherever in the request it
// is, at any log level, and whatever the server depends on is broken.
package keylogs
