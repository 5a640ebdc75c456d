// Package liveconfig brings the runtime configuration into force in a running server, whole or not at all, and
// reports which revision that is. Package config decides what a document may contain.
package liveconfig
