// Package manage owns the types that the use cases of management share: the caller, the error of an operation,
// and the plaintext of a new key. The use cases are in the packages below it.
package manage
