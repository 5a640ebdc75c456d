// Package convert translates custom resources into the terms of the pure packages: what the spec asks for, which keys
// are recorded, why they are refused. Operator and server both read objects through it, so that they can't differ.
package convert
