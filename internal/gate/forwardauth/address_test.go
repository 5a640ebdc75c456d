package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
)

// useLog collects reported uses.
type useLog []verify.Use

func (l *useLog) Record(u verify.Use)   { *l = append(*l, u) }
func (*useLog) Interval() time.Duration { return verify.UseInterval }

// The peer is the gateway; X-Forwarded-For names the client.
func TestClientAddress_ComesFromTheGateway(t *testing.T) {
	for forwarded, want := range map[string]string{
		"": "192.0.2.1", "203.0.113.9, 198.51.100.1": "198.51.100.1", "unknown": "192.0.2.1",
	} {
		h := newFixture(t, config.Runtime{})
		uses := &useLog{}
		h.Uses = uses
		request := httptest.NewRequest(http.MethodGet, "/auth", nil)
		request.Header.Set("Authorization", "Bearer "+ci)
		if forwarded != "" {
			request.Header.Set("X-Forwarded-For", forwarded)
		}
		for range 3 {
			h.ServeHTTP(httptest.NewRecorder(), request)
		}
		if len(*uses) != 1 || (*uses)[0].From != want || (*uses)[0].UID != "Account/ci" {
			t.Errorf("X-Forwarded-For: %s: recorded %+v", forwarded, *uses)
		}
	}
}
