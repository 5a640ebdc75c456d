// Package routes owns the table of routes: it compiles the entries of ROUTES and finds the one that a request
// matches. Packages access and gate decide whether the caller has what the route needs.
//
// The table and the app behind it read the same request, and an attacker looks for a request that the two
// read differently. So a path that programs are known to read in several ways is read in all of them, and
// unless all readings lead to the same result it is refused with ErrAmbiguous. The ways, in any order and
// number:
//
//   - an encoded / is a separator, or a part of its segment
//   - \ is /, encoded or not
//   - decoded text is decoded again
//   - ; and what follows it is dropped, up to the next / or to the end
//   - an encoded ? or # ends the path, and parameters follow the ?
//   - several / are one, or not; a leading // begins a host name
//   - . and .. are resolved or not, encoded or not, before or after any of the above
//
// So an app that needs an encoded / in a segment needs a route that does not count segments:
// /files/{path...}, not /files/{name}. A path that only lacks the slash at the end of a pattern matches it.
//
// If there are routes, requests that no program should receive are refused: control characters, NUL, spaces,
// fragments, invalid escapes, and text that is not UTF-8 once decoded. So are methods in lower case where the
// case matters, and invalid hosts where patterns have hosts.
//
// No table can cover the habits of every app. An app may also read:
//
//   - /Admin as /admin
//   - /admin/ as /admin, and a space or a dot at the end of a segment as nothing
//   - /admin.json as /admin
//   - full-width letters and slashes as those of ASCII
//   - a method from a header (X-HTTP-Method-Override) or a form field (_method)
//   - a path from a header (X-Original-URL, X-Rewrite-URL)
//   - parameters in the body, or in a query that it parses in its own way: names in any case, a[] as a
//   - any Host as its own: a pattern with a host needs a gateway that rejects other hosts
//
// UNMATCHED: deny covers the paths in this list: a different spelling matches no route and is refused. But a
// wildcard or catch-all route beside a guarded path matches such a spelling, so it should need the same action.
// Conditions on parameters should allow, not deny. An anonymous route should have nothing guarded below it.
package routes
