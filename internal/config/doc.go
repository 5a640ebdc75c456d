// Package config owns the instance's settings: what ConfigMap keywright-config may say, and the document
// keywright-runtime that is compiled from it for the server.
//
// It checks and translates only. Which Secret a setting points to is resolved by the caller.
package config
