// Package apikey is the controller of APIKeys. It resolves the owner and the roles of a key, describes the key
// to the issuer, and removes the Secret of a deleted key. The issuer issues the keys; package lifecycle decides
// when, and package access what a key may do.
package apikey
