// Package convert translates what people wrote in custom resources into the terms of the pure packages. Operator and
// server read a manifest by it in the same way.
package convert
