// Package jsonbody reads the JSON body of a request strictly: it refuses what a client may have meant differently,
// and says what is wrong. Each surface has its own form for that error.
//
// No Problem repeats a value of the body: it may be a key in the wrong place.
package jsonbody
