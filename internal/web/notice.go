package web

import (
	"net/http"

	"keywright.dev/keywright/internal/httpapi"
)

// Notice reports a change on the page that follows it. The texts are fixed: a cookie with a text of its own would let
// others write on our pages.
type Notice string

// Notices.
const (
	SignedIn     Notice = "signed-in"
	SignedOut    Notice = "signed-out"
	NameSaved    Notice = "name-saved"
	Saved        Notice = "saved"
	Enabled      Notice = "enabled"
	Disabled     Notice = "disabled"
	Revoked      Notice = "revoked"
	Deleted      Notice = "deleted"
	Demoted      Notice = "demoted"
	Withdrawn    Notice = "withdrawn"
	RotationSoon Notice = "rotation-soon"
	UserEnabled  Notice = "user-enabled"
	UserDisabled Notice = "user-disabled"
)

var notices = map[Notice]string{
	SignedIn:     "You are signed in.",
	SignedOut:    "You are signed out.",
	NameSaved:    "Your name is saved in this browser.",
	Saved:        "The change is saved.",
	Enabled:      "Enabled: the key is accepted again.",
	Disabled:     "Disabled: every request with the key is refused from now on.",
	Revoked:      "Revoked: the key is refused for good.",
	Deleted:      "Deleted.",
	Demoted:      "The role is changed: the admin key is revoked and the sessions have ended.",
	UserEnabled:  "Enabled: the keys of the user are accepted again.",
	UserDisabled: "Disabled: every key of the user is refused from now on, and every session has ended.",
	Withdrawn:    "The claim link is withdrawn.",
	RotationSoon: "The rotation is requested: the operator writes the new key into its Secret.",
}

// noticeCookie carries a Notice to the next page.
const noticeCookie = "keywright_notice"

// SeeOther sends the browser to another page after a change. The path must be one of ours. An empty Notice shows
// nothing.
func SeeOther(c *httpapi.Call, path string, n Notice) {
	if n != "" {
		setNotice(c, string(n), 60)
	}
	setHeaders(c.W.Header())
	http.Redirect(c.W, c.R, path, http.StatusSeeOther)
}

// takeNotice returns the text of the notice, which is shown once.
func takeNotice(c *httpapi.Call) string {
	cookie, err := c.R.Cookie(noticeCookie)
	if err != nil {
		return ""
	}
	setNotice(c, "", -1)
	return notices[Notice(cookie.Value)]
}

func setNotice(c *httpapi.Call, value string, maxAge int) {
	cookie := http.Cookie{ //nolint:gosec // Secure is off only where SECURE_COOKIES=false
		Name: noticeCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: c.Gate.SecureCookies(),
		SameSite: http.SameSiteLaxMode,
	}
	c.W.Header().Add("Set-Cookie", cookie.String())
}
