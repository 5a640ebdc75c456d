// Package jsonbody reads the JSON body of a request strictly: it refuses a body that a client may have meant
// differently, with an error that describes the problem. Each surface has its own form for that error.
//
// No Problem repeats a value of the body: it may be a key in the wrong place.
package jsonbody
