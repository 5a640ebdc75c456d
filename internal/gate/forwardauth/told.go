package forwardauth

import (
	"net/http"
	"net/url"
	"strings"

	"keywright.dev/keywright/internal/gate"
)

// asked is the request that a gateway asks about, as its headers tell it. Gateways set one family of headers and
// pass on what the client sent of the other: so whatever is told twice must agree, or the client could choose.
func asked(r *http.Request) gate.Request {
	a := gate.Request{Header: r.Header, RemoteAddr: r.RemoteAddr, IsForwarded: true}
	t := told{header: r.Header}
	a.Method = t.only("X-Forwarded-Method", "X-Original-Method")
	// GET and HEAD are what gateways ask with that tell the method in a header, or not at all.
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		t.agree(&a.Method, r.Method)
	}
	a.Host, a.Target = t.target()
	a.Contradictory = t.contradictory
	return a
}

// told is what headers say, and whether they agree.
type told struct {
	header        http.Header
	contradictory bool
}

// only is the value that all these headers have, those that are there.
func (t *told) only(names ...string) (value string) {
	for _, name := range names {
		for _, v := range t.header[name] {
			t.agree(&value, v)
		}
	}
	return value
}

// agree takes a value into what is known already.
func (t *told) agree(known *string, value string) {
	switch {
	case value == "":
	case *known == "":
		*known = value
	case *known != value:
		t.contradictory = true
	}
}

// target is host and request-target. X-Original-Url has both (ingress-nginx), and a proxy may put an absolute URL into
// the others.
func (t *told) target() (host, target string) {
	host = t.only("X-Forwarded-Host")
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url"} {
		for _, value := range t.header[name] {
			h, uri := t.split(value)
			t.agree(&host, h)
			t.agree(&target, uri)
		}
	}
	return host, target
}

// split takes an absolute URL apart without changing a character of the target: how that is read is for routes to say.
func (t *told) split(value string) (host, target string) {
	if value == "" || value[0] == '/' || value == "*" {
		return "", value
	}
	scheme, rest, found := strings.Cut(value, "://")
	if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		t.contradictory = true
		return "", ""
	}
	slash := strings.IndexAny(rest, "/?#")
	if slash < 0 {
		return rest, "/"
	}
	host, target = rest[:slash], rest[slash:]
	if target[0] != '/' {
		target = "/" + target
	}
	if _, err := url.Parse("//" + host); err != nil {
		t.contradictory = true
	}
	return host, target
}
