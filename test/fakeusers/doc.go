// Package fakeusers stands in for the API server and for what watches it: AdminUsers in memory, and in an index at once.
// It keeps to the contract of package registry as far as users need it.
package fakeusers
