// Package apikeys lists, creates, changes, rotates, revokes and deletes API keys of users, accounts and
// integrations. It authorizes each operation and writes the audit trail. It is independent of protocols: a surface
// reads the input and writes the reply.
package apikeys
