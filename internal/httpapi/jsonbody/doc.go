// Package jsonbody reads the JSON body of a request, strictly: what a client may have meant otherwise than it is read is
// refused, with a word on what is wrong. How that is told to a client is each surface's business.
//
// No text of a Problem repeats a value of the body: it may be a key in the wrong place.
package jsonbody
