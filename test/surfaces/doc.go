// Package surfaces plays one table of hostile requests against every surface of the gate: each must read headers in the
// same way.
package surfaces
