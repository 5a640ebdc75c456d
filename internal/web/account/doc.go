// Package account has the pages about the caller: /register, to save a name or to sign in, signing out, and the
// overview.
package account
