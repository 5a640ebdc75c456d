// Package adminuser is the controller of AdminUsers. It decides whose claim to a username is honoured,
// describes the user to the issuer, and removes the Secret of a deleted user. The issuer issues the keys;
// package lifecycle decides when.
package adminuser
