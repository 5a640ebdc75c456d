// Package lastadmin is the controller that makes sure an active admin remains. It sets condition LastAdmin on the only
// active AdminUser, which the admission policies then protect. It also keeps a finalizer on one active admin, the
// anchor, so that one admin stays when all are deleted in the same instant. The server accepts the key of an admin that
// is kept.
package lastadmin
