// Package fakeregistry is a registry of APIKeys in memory, for tests of what is built on one: an index goes by what is
// written, as it does when a watch shows it, and each call can be made to fail. What the API server checks, it does not.
package fakeregistry
