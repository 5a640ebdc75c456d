// Package traces plays requests on every surface, with real spans and a real collector: what each span has, whose child
// it is, and that no span has a key.
package traces
