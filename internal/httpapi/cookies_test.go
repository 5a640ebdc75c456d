package httpapi_test

import (
	"testing"

	"keywright.dev/keywright/internal/httpapi"
)

func TestSessionCookie_HasFixedAttributes(t *testing.T) {
	for got, want := range map[string]string{
		httpapi.SessionCookie("abc", true): "keywright_session=abc; Path=/; Max-Age=28800; HttpOnly; Secure; " +
			"SameSite=Strict",
		httpapi.SessionCookie("abc", false): "keywright_session=abc; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict",
		httpapi.ClearSessionCookie(true):    "keywright_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict",
		httpapi.ClearSessionCookie(false):   "keywright_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
