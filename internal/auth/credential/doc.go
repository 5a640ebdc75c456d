// Package credential reads what a request presents: a key in one of several forms, a session cookie, the name that a
// proxy sends, or a saved name. It never decides whether a credential is valid.
package credential
