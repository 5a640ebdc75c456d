// Package idempotency makes a creation that is requested twice with one idempotency key happen once: header
// Idempotency-Key of the API, and the hidden id of a form.
//
// A creation with an idempotency key has this order:
//
//  1. Check refuses it if the caller has created something with the same key within creation.Window. It comes after the
//     checks of the request, so that it does not hide what is wrong with that.
//  2. The object is created. The name of an APIKey is derived from its display name, the idempotency key and the
//     caller, so that the API server refuses the second of two equal creations at once.
//  3. Keep records the id of the object. The record decides where the API server does not: between objects with
//     different names, and when an object was deleted meanwhile. If the record can't be kept, or another creation has
//     it, the object is discarded: its key was not shown.
//
// So every key that was shown has a record, which outlives its object, and a creation that fails leaves none. The one
// exception is a database that writes the record and breaks off before its answer, twice in a row: the idempotency key
// is taken, although the object was discarded. An end of the server between the last two steps leaves an object whose
// key was not shown. Its name still refuses the second creation.
package idempotency
