package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

// The peer is the gateway. Whose request it asks about, it says.
func TestTheClientsAddressIsWhatTheGatewayTells(t *testing.T) {
	for forwarded, want := range map[string]string{"": "192.0.2.1", "203.0.113.9, 198.51.100.1": "198.51.100.1", "unknown": "192.0.2.1"} {
		h := newHouse(t, config.Runtime{})
		var told []verify.Use
		h.Used = func(u verify.Use) { told = append(told, u) }
		request := httptest.NewRequest(http.MethodGet, "/auth", nil)
		request.Header.Set("Authorization", "Bearer "+ci)
		if forwarded != "" {
			request.Header.Set("X-Forwarded-For", forwarded)
		}
		for range 3 {
			h.ServeHTTP(httptest.NewRecorder(), request)
		}
		if len(told) != 1 || told[0].From != want || told[0].UID != "Account/ci" {
			t.Errorf("X-Forwarded-For: %s: told %+v", forwarded, told)
		}
	}
}
