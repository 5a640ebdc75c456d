// Package keys serves /apiv1: API keys of users, accounts and integrations (docs/compatibility.md, "API keys").
// It reads requests and writes replies; package apikeys decides what is done and who may do it.
package keys
