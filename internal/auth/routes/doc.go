// Package routes owns which request needs what: the entries of ROUTES, compiled, and the one that a request matches.
// Whether somebody has what is needed is not decided here: see access and gate.
//
// The table and the app behind it read the same request, and a caller who wants past the table looks for one that the
// two read differently. So a path that programs are known to read in several ways is read in all of them, and unless
// all of them come to the same it is refused with ErrAmbiguous. The ways, in any order and number:
//
//   - an encoded / taken for a separator, or for a part of its segment
//   - \ taken for /, encoded or not
//   - what is decoded, decoded again
//   - ; and what follows it dropped, up to the next / or to the end
//   - an encoded ? or # taken for the end of the path, and what follows the ? for parameters
//   - several / taken for one, or not; a leading // taken for the beginning of a host name
//   - . and .. resolved or not, encoded or not, before or after any of the above
//
// So an app that needs an encoded / in a segment takes a route that does not count segments: /files/{path...}, not
// /files/{name}. And a path that lacks no more than the slash at the end of a pattern counts as that with the slash.
//
// What no program should be sent is refused where there are routes: control characters, NUL, spaces, fragments,
// escapes that are none, and what is not UTF-8 once decoded. So is a method in lower case where that makes a
// difference, and a host that is none where patterns have hosts.
//
// No table can know the app's own habits. An app may read more than the routes say:
//
//   - /Admin as /admin
//   - /admin/ as /admin, and a space or a dot at the end of a segment as nothing
//   - /admin.json as /admin
//   - full-width letters and slashes as those of ASCII
//   - a method that a header (X-HTTP-Method-Override) or a form field (_method) names
//   - a path that a header (X-Original-URL, X-Rewrite-URL) names
//   - parameters in the body, or in a query that it parses in its own way: names in any case, a[] as a
//   - any Host as its own: a pattern with a host needs a gateway that lets no other host through
//
// UNMATCHED: deny is the answer to the paths among these: what is spelt differently matches nothing and is refused. A
// wildcard or a catch-all beside a guarded path takes it all the same, and should need as much. Conditions on parameters
// should allow, not deny.
package routes
