package routes

import (
	"net/http"
	"strings"
)

// parsed is a request in the form that routes are compared with.
type parsed struct {
	method, host string
	// path is the target up to the first ?, and query the rest.
	path, query string
}

func (t *Table) parse(r Request) (parsed, error) {
	q := parsed{method: r.Method}
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

// isForServer reports whether the request is about the server itself: OPTIONS * (RFC 9112, section 3.2.4).
func (q *parsed) isForServer() bool { return q.path == "*" && q.method == http.MethodOptions }

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

// isMethod excludes CONNECT, whose requests have no path.
func isMethod(method string) bool {
	return consistsOf(method, "!#$%&'*+-.^_`|~") && !strings.EqualFold(method, http.MethodConnect)
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// normalHost returns a host in the form of patterns: in lower case, without port, and without a dot at the end.
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

// isAddress reports whether s is an IPv6 address in brackets. IPv4 addresses look like names.
func isAddress(s string) bool {
	return strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && consistsOf(s[1:len(s)-1], ":.")
}

// consistsOf reports whether s has nothing but letters, digits and the characters of others.
func consistsOf(s, others string) bool {
	for i := range len(s) {
		if !isAlphanumeric(s[i]) && strings.IndexByte(others, s[i]) < 0 {
			return false
		}
	}
	return s != ""
}
