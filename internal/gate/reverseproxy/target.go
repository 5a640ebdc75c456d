package reverseproxy

import (
	"net/http"
	"strings"
)

// asterisk is the target of an OPTIONS request about the server as a whole.
const asterisk = "*"

// originForm returns the target of a request in origin form (RFC 9112, section 3.2.1), byte for byte as the client sent
// it: the gate must decide on exactly what the app gets. For a request that no app could serve it returns a reply.
func originForm(r *http.Request) (target string, refusal *reply) {
	target = r.RequestURI
	switch {
	case r.Method == http.MethodConnect:
		return "", noTunnel
	case r.Host == "" || strings.Contains(r.Host, "%"):
		// Go would send the app's address in place of an empty host, and only a part of one with a %.
		return "", badHost
	case target == asterisk && r.Method != http.MethodOptions:
		return "", badTarget
	case target == asterisk || strings.HasPrefix(target, "/"):
		return target, nil
	}
	return fromAbsolute(r)
}

// fromAbsolute removes scheme and host from a target in absolute form.
func fromAbsolute(r *http.Request) (target string, refusal *reply) {
	scheme, rest, _ := strings.Cut(r.RequestURI, "://")
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", badTarget
	}
	// The prefix differs for a user, a port or a host that Go does not read as written.
	target, found := strings.CutPrefix(rest, r.Host)
	if !found {
		return "", badHost
	}
	switch {
	case target == "" && r.Method == http.MethodOptions:
		return asterisk, nil
	case target == "" || target[0] == '?':
		return "/" + target, nil
	case target[0] == '/':
		return target, nil
	}
	return "", badHost
}

// climbs reports whether an app may read a path as one above its own base.
func climbs(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		// Some servers read the text after a semicolon as a parameter.
		if name, _, _ := strings.Cut(segment, ";"); name == ".." {
			return true
		}
	}
	return false
}
