package sessions

import (
	"crypto/sha256"
	"net/http"

	"keywright.dev/keywright/internal/auth/credential"
)

const (
	// secretLength is in bytes.
	secretLength = 32
	// cookieLength is that of a secret in base64url, without padding.
	cookieLength = 43
)

// idOf is the id of the session that a cookie stands for. What can't be the secret of one is not looked for.
func idOf(cookie string) (id ID, ok bool) {
	if len(cookie) != cookieLength {
		return ID{}, false
	}
	var text [cookieLength]byte
	copy(text[:], cookie)
	return sha256.Sum256(text[:]), true
}

// Cookie is the Set-Cookie header of a session, as COMPAT A has it.
func Cookie(value string, secure bool) string {
	return setCookie(value, int(Lifetime.Seconds()), secure)
}

// ClearCookie is the one that makes a browser forget it.
func ClearCookie(secure bool) string { return setCookie("", -1, secure) }

func setCookie(value string, maxAge int, secure bool) string {
	c := http.Cookie{ //nolint:gosec // it is all that, but Secure where people have said that it must not be
		Name: credential.SessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode,
	}
	return c.String()
}
