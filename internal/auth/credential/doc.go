// Package credential reads what a request presents: a key in Authorization Bearer, in the password of
// Authorization Basic (Git) or in X-API-Key, a session cookie, the name that a proxy sends, or a saved name.
// It never decides whether a credential is valid.
package credential
