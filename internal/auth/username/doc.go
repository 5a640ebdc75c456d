// Package username owns the rules of usernames: which are valid, which is reserved, which are equal, and
// which of several objects with equal usernames holds the name.
package username
