// Package apikey is the controller of APIKeys: it finds out whom a key speaks as and which roles it names, describes it to
// the issuer, and removes the Secret of a key that is gone. How a key is issued is the issuer's business, when is
// lifecycle's, and what it may do is access's.
package apikey
