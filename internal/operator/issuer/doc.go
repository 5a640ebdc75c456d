// Package issuer carries out what lifecycle decides, for any kind of object that has keys: it observes the Secret,
// mints or adopts a key, writes status and Secret one step at a time, translates the outcome into conditions and
// tells of it by events.
//
// It does not know AdminUser from any other kind: a controller describes its object as a Holder. It decides
// nothing itself: see lifecycle.
package issuer
