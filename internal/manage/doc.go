// Package manage owns what the use cases of management share: the caller, the error that says why an operation
// was refused, and the plaintext of a new key. The use cases are in the packages below it.
package manage
