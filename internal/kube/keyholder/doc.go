// Package keyholder knows which kinds of objects have keys, and finds one by a key or all of them. What an object asks for
// is its controller's business.
package keyholder
