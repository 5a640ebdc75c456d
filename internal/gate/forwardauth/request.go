package forwardauth

import (
	"net/http"
	"net/url"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
)

// gateRequest returns the request that a gateway asks about, as its headers describe it. A gateway sets one family of
// headers and passes on the client's own headers of the other family. So all of them must agree: otherwise a client
// could choose which request is decided on.
func gateRequest(r *http.Request) gate.Request {
	request := gate.Request{
		Surface: gate.ForwardAuth, Header: r.Header, RemoteAddr: r.RemoteAddr, IsForwarded: true,
	}
	request.Forged, request.OddForms = oddHeaders(r.Header)
	d := description{header: r.Header}
	request.Method = d.sharedValue("X-Forwarded-Method", "X-Original-Method")
	// Gateways that send GET or HEAD have the method in a header, or do not pass it on.
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		d.agree(&request.Method, r.Method)
	}
	request.Host, request.Target = d.target()
	request.Contradictory = d.contradictory
	return request
}

// oddHeaders reports whether a header is a known one with other separators, and which forms of a key have such one.
// Gateways remove or replace only the name itself, and the app may read the other spelling in its place. The gate reads
// method overrides in every spelling.
func oddHeaders(header http.Header) (forged bool, forms credential.Forms) {
	for name := range header {
		switch known := gate.LookUpOddHeader(name); {
		case known == nil:
		case known.Use == gate.HeaderCredential:
			forms |= known.Forms
		case !known.IsForApp(0):
			forged = true
		}
	}
	return forged, forms
}

// description collects what headers state about a request, and whether they agree.
type description struct {
	header        http.Header
	contradictory bool
}

// sharedValue returns the value that all these headers have, ignoring absent ones.
func (d *description) sharedValue(names ...string) (value string) {
	for _, name := range names {
		for _, v := range d.header[name] {
			d.agree(&value, v)
		}
	}
	return value
}

// agree sets known to value, or records a contradiction with its earlier value.
func (d *description) agree(known *string, value string) {
	switch {
	case value == "":
	case *known == "":
		*known = value
	case *known != value:
		d.contradictory = true
	}
}

// target returns host and request-target. X-Original-Url holds both (ingress-nginx), and a proxy may put an
// absolute URL into the other headers.
func (d *description) target() (host, target string) {
	host = d.sharedValue("X-Forwarded-Host")
	for _, name := range []string{"X-Forwarded-Uri", "X-Original-Uri", "X-Original-Url"} {
		for _, value := range d.header[name] {
			h, uri := d.split(value)
			d.agree(&host, h)
			d.agree(&target, uri)
		}
	}
	return host, target
}

// split separates host and target of an absolute URL. It leaves the target as sent: package routes interprets it.
func (d *description) split(value string) (host, target string) {
	if value == "" || value[0] == '/' || value == "*" {
		return "", value
	}
	scheme, rest, found := strings.Cut(value, "://")
	if !found || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		d.contradictory = true
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
		d.contradictory = true
	}
	return host, target
}
