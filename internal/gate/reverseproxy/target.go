package reverseproxy

import (
	"net/http"
	"strings"
)

// asterisk is the target of OPTIONS that asks about the server as a whole.
const asterisk = "*"

// origin is the target of a request in origin form (RFC 9112, section 3.2.1), byte for byte as the client sent it: what
// is decided on and what the app gets must be the same. An answer says why a request is not for any app.
func origin(r *http.Request) (target string, no *answer) {
	target = r.RequestURI
	switch {
	case r.Method == http.MethodConnect:
		return "", noTunnel
	case r.Host == "" || strings.Contains(r.Host, "%"):
		// Go would put the app's address in the place of the one, and not write all of the other.
		return "", badHost
	case target == asterisk && r.Method != http.MethodOptions:
		return "", badTarget
	case target == asterisk || strings.HasPrefix(target, "/"):
		return target, nil
	}
	return fromAbsolute(r)
}

// fromAbsolute takes scheme and host off a target in absolute form.
func fromAbsolute(r *http.Request) (target string, no *answer) {
	scheme, rest, _ := strings.Cut(r.RequestURI, "://")
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "", badTarget
	}
	// A user, a port or a host that Go reads in another way than they are written.
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

// climbs says that an app may take a path for one above its own base.
func climbs(path string) bool {
	for segment := range strings.FieldsFuncSeq(path, func(c rune) bool { return c == '/' || c == '\\' }) {
		// Some servers take what follows a semicolon for a parameter.
		if name, _, _ := strings.Cut(segment, ";"); name == ".." {
			return true
		}
	}
	return false
}
