// Package keyholder defines the key objects, AdminUsers and APIKeys, and finds them: all of them, by a key, or by
// username.
package keyholder
