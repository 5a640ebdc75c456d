package credential

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/auth/username"
)

// Cookies of Keywright.
const (
	// SessionCookie holds the secret of a session.
	SessionCookie = "keywright_session"
	// NameCookie holds the name that somebody saved: a claim, which scripts may read and anybody may write.
	NameCookie = "keywright_user"
)

// maxName bounds a name that is not checked by any other rule, in bytes.
const maxName = 128

// Session is the value of the session cookie, or "". Of several with different values none counts: one of them was
// planted.
func Session(header http.Header) string { return cookie(header, SessionCookie) }

// ProxyUser is whom a proxy in front says the caller is, or "". It is worth what the proxy is worth.
func ProxyUser(header http.Header) string { return name(one(header["X-Forwarded-User"])) }

// SavedName is the name in the cookie, or "". Nobody has proven it.
func SavedName(header http.Header) string {
	value := cookie(header, NameCookie)
	// Scripts write it encoded as encodeURIComponent does.
	if decoded, err := url.PathUnescape(value); err == nil {
		value = decoded
	}
	return name(value)
}

// SaveName is the Set-Cookie header that saves a name for a year.
func SaveName(name string, secure bool) string {
	c := http.Cookie{ //nolint:gosec // scripts show the name, and it is no secret
		Name: NameCookie, Value: url.PathEscape(name), Path: "/", MaxAge: 365 * 24 * 60 * 60,
		Secure: secure, SameSite: http.SameSiteLaxMode,
	}
	return c.String()
}

// name is a name as it may be passed on in a header, or "".
func name(value string) string {
	value = strings.TrimSpace(value)
	switch {
	case len(value) > maxName, !utf8.ValidString(value), strings.ContainsFunc(value, unicode.IsControl):
		return ""
	case username.Reserved(value):
		return ""
	}
	return value
}

// one is the value that all of them have.
func one(values []string) string {
	for _, v := range values {
		if v != values[0] {
			return ""
		}
	}
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func cookie(header http.Header, name string) string {
	var values []string
	for _, line := range header["Cookie"] {
		if len(line) > maxCookies || !strings.Contains(line, name) {
			continue
		}
		// Cookies that can't be read are passed over, be they of the app: JSON is no value of a cookie, and common.
		request := http.Request{Header: http.Header{"Cookie": {line}}}
		for _, c := range request.CookiesNamed(name) {
			values = append(values, c.Value)
		}
	}
	return one(values)
}

// maxCookies bounds a Cookie header that is looked into, in bytes.
const maxCookies = 16 << 10

// WithoutSession is Cookie headers without the session, every other cookie as it is, and whether the session was in
// them. It may be where two headers were joined by a comma, as Envoy does.
func WithoutSession(lines []string) (others []string, hadSession bool) {
	for _, line := range lines {
		rest := withoutSession(line)
		hadSession = hadSession || len(rest) != len(line)
		if rest != "" {
			others = append(others, rest)
		}
	}
	return others, hadSession
}

func withoutSession(line string) string {
	if !strings.Contains(line, SessionCookie) {
		return line
	}
	cookies := strings.Split(line, ";")
	others := slices.DeleteFunc(slices.Clone(cookies), isSession)
	if len(others) == len(cookies) {
		return line
	}
	return strings.TrimLeft(strings.Join(others, ";"), " \t")
}

func isSession(cookie string) bool {
	for part := range strings.SplitSeq(cookie, ",") {
		if name, _, _ := strings.Cut(part, "="); strings.TrimSpace(name) == SessionCookie {
			return true
		}
	}
	return false
}
