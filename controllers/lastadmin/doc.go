// Package lastadmin is the controller that one active admin remains. It sets condition LastAdmin on the
// AdminUser that is active when no other is, which admission then protects; and it keeps a finalizer on one
// active admin, the anchor, so that one stays when all are deleted in the same instant. That the key of one who
// is kept is accepted is the server's business.
package lastadmin
