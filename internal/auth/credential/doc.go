// Package credential reads the key that a request presents: Authorization Bearer, the password of Authorization
// Basic (Git), or X-API-Key. It decides only what was presented, never whether it is valid.
package credential
