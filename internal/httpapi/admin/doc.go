// Package admin serves /api: login, users and the audit trail. It reads requests and writes replies; package
// users decides what is done and who may do it.
//
// Errors are {"detail": "<text>"}.
package admin
