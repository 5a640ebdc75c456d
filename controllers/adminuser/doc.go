// Package adminuser is the controller of AdminUsers: it decides which object holds a username, describes the user
// to the issuer, and removes the Secret of a user that is gone. How a key is issued is the issuer's business, when
// is lifecycle's.
package adminuser
