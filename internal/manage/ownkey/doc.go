// Package ownkey describes and rotates the key that a caller presents, whatever records it: an APIKey, an AdminUser or
// the configuration. A session stands for the key that it was begun with.
//
// To describe it takes no right. Packages apikeys and users decide whether it may be rotated, by the rules that they
// have for the same rotation by id or by username.
package ownkey
