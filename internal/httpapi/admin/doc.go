// Package admin is the management of users over HTTP: everything under /api. It reads requests and writes replies; what
// is done, and who may, is for package users to decide, and who somebody is for package gate.
//
// Errors are {"detail": "<text>"}. No reply is to be kept by anybody: some hold a key.
package admin
