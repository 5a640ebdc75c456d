package extauthz

import (
	"net/http"
	"strings"

	"keywright.dev/keywright/internal/gate"
)

// asked is the request that Envoy asks about. The pseudo-headers among its headers (:method, :path) count for nothing:
// the fields say it already.
func (q *question) asked() gate.Request {
	target, agree := target(q.path, q.query)
	return gate.Request{
		Method: q.method, Host: q.host, Target: target, Contradictory: !agree, Header: q.asHTTP(), RemoteAddr: q.peer,
	}
}

// target is path and query in one, and whether the two agree. Envoy has the query in the path and leaves its own field
// empty; others fill in both.
func target(path, query string) (target string, agree bool) {
	if query == "" {
		return path, true
	}
	_, inPath, found := strings.Cut(path, "?")
	if !found {
		return path + "?" + query, true
	}
	return path, inPath == query
}

// askedHeaders are those that gate.Request is to have, by Envoy's name and by ours.
var askedHeaders = [...]struct{ envoys, canonical string }{
	{"authorization", "Authorization"},
	{"x-api-key", "X-Api-Key"},
	{"cookie", "Cookie"},
	{forwardedUser, "X-Forwarded-User"},
	{"x-http-method", "X-Http-Method"},
	{"x-http-method-override", "X-Http-Method-Override"},
	{"x-method-override", "X-Method-Override"},
}

const forwardedUser = "x-forwarded-user"

func (q *question) asHTTP() http.Header {
	header := make(http.Header, len(askedHeaders))
	for i, name := range askedHeaders {
		values := q.headers[i].raw
		if q.headers[i].found {
			values = append(split(name.envoys, q.headers[i].joined), values...)
		}
		if len(values) > 0 {
			header[name.canonical] = values
		}
	}
	return header
}

// split takes apart what Envoy has joined with a comma: a header that came twice. A name that the client sent must not
// run together with the one that the proxy in front added to it. In the others a comma can be part of the value, and
// two joined are a key that nobody has.
func split(name, value string) []string {
	if name == forwardedUser {
		return strings.Split(value, ",")
	}
	return []string{value}
}
