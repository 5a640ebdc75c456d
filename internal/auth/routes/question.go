package routes

import (
	"net/http"
	"strings"
)

// question is a request in the form in which routes are looked for.
type question struct {
	method, host string
	// path is the target up to the ?, and query what follows it.
	path, query string
}

func (t *Table) parse(r Request) (question, error) {
	q := question{method: r.Method}
	var err error
	if !isMethod(r.Method) {
		return q, badMethod
	}
	if t.hasHosts {
		if q.host, err = normalHost(r.Host); err != nil {
			return q, err
		}
	}
	q.path, q.query, err = splitTarget(r.Target)
	if err == nil && q.path[0] != '/' && !q.isForServer() {
		err = badTarget
	}
	return q, err
}

// isForServer: it asks for nothing that has a path (RFC 9112, section 3.2.4).
func (q *question) isForServer() bool { return q.path == "*" && q.method == http.MethodOptions }

func splitTarget(target string) (path, query string, err error) {
	switch {
	case len(target) > maxTarget:
		return "", "", longTarget
	case strings.IndexByte(target, '#') >= 0:
		return "", "", fragment
	}
	for i := range len(target) {
		if target[i] <= ' ' || target[i] == 0x7f {
			return "", "", badCharacter
		}
	}
	path, query, _ = strings.Cut(target, "?")
	if path == "" {
		return "", "", badTarget
	}
	return path, query, nil
}

// isMethod: CONNECT is none here, since it asks for no path.
func isMethod(method string) bool {
	return consistsOf(method, "!#$%&'*+-.^_`|~") && !strings.EqualFold(method, http.MethodConnect)
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// normalHost is a host as patterns have it: in lower case, without port, and without the dot at the end.
func normalHost(host string) (string, error) {
	name := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name = host[:i]
		if strings.Trim(host[i+1:], "0123456789") != "" {
			return "", badHost
		}
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !isHostname(name) && !isAddress(name) {
		return "", badHost
	}
	return name, nil
}

func isHostname(s string) bool { return consistsOf(s, "-._") && !strings.HasSuffix(s, ".") }

// isAddress of IPv6, that is; those of IPv4 look like names.
func isAddress(s string) bool {
	return strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && consistsOf(s[1:len(s)-1], ":.")
}

// consistsOf letters, digits and others.
func consistsOf(s, others string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
