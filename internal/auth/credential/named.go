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
	// NameCookie holds a saved name. Scripts may read and write it, so it proves nothing.
	NameCookie = "keywright_user"
)

// Bounds in bytes.
const (
	// maxName bounds a name from a proxy or a cookie.
	maxName = 128
	// maxCookies bounds one Cookie header.
	maxCookies = 16 << 10
)

// Session returns the value of the session cookie, or "". Several cookies with different values count as
// none: an attacker may have planted one of them.
func Session(header http.Header) string { return cookie(header, SessionCookie) }

// ProxyUser returns the username that a proxy sends, or "". Callers decide whether to trust the proxy. A header that
// was sent twice may arrive as one with a comma. Different names count as none: the client may have written one.
func ProxyUser(header http.Header) string { return Name(commonElement(header["X-Forwarded-User"])) }

// SavedName returns the unverified name in NameCookie, or "".
func SavedName(header http.Header) string {
	value := cookie(header, NameCookie)
	// Scripts write the cookie with encodeURIComponent.
	if decoded, err := url.PathUnescape(value); err == nil {
		value = decoded
	}
	return Name(value)
}

// SaveName returns the Set-Cookie header that saves a name for a year.
func SaveName(name string, secure bool) string {
	c := http.Cookie{ //nolint:gosec // scripts show the name, which is not a secret
		Name: NameCookie, Value: url.PathEscape(name), Path: "/", MaxAge: 365 * 24 * 60 * 60,
		Secure: secure, SameSite: http.SameSiteLaxMode,
	}
	return c.String()
}

// Name returns a name that may be passed on in a header, without surrounding space, or "".
func Name(value string) string {
	value = strings.TrimSpace(value)
	switch {
	case len(value) > maxName, !utf8.ValidString(value), strings.ContainsFunc(value, unicode.IsControl):
		return ""
	case username.Reserved(value):
		return ""
	}
	return value
}

// commonValue returns the one value of a list whose values are all equal, or "".
func commonValue(values []string) string {
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

// commonElement is commonValue for the elements of lists that are separated by commas.
func commonElement(lists []string) (common string) {
	isFirst := true
	for _, list := range lists {
		for element := range strings.SplitSeq(list, ",") {
			if !isFirst && element != common {
				return ""
			}
			common, isFirst = element, false
		}
	}
	return common
}

func cookie(header http.Header, name string) string {
	var values []string
	for _, line := range header["Cookie"] {
		if len(line) > maxCookies || !strings.Contains(line, name) {
			continue
		}
		// Unreadable cookies of the app are skipped: many apps store JSON, which is not a valid cookie value.
		request := http.Request{Header: http.Header{"Cookie": {line}}}
		for _, c := range request.CookiesNamed(name) {
			values = append(values, c.Value)
		}
	}
	return commonValue(values)
}

// WithoutSession returns Cookie headers without the session cookie and reports whether they had it. It leaves
// other cookies unchanged. It also finds a session in two headers that were joined by a comma, as Envoy does.
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
