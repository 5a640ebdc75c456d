package forwardauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"keywright.dev/keywright/internal/gate"
)

// pathQuestion returns a question as it arrives: requestURI is the second word of its first line.
func pathQuestion(method, host, requestURI string, header http.Header) *http.Request {
	at, err := url.ParseRequestURI(requestURI)
	if err != nil {
		panic(err)
	}
	return &http.Request{
		Method: method, Host: host, URL: at, RequestURI: requestURI, Header: header, RemoteAddr: "192.0.2.1:1234",
	}
}

func TestPathRequest_IsTheQuestionItself(t *testing.T) {
	// What a client says about another request counts for nothing.
	claims := headers("X-Forwarded-Method: GET", "X-Forwarded-Host: other.example", "X-Forwarded-Uri: /public/",
		"X-Original-Method: GET", "X-Original-URL: https://other.example/public/", "X-Original-URI: /public/")
	for uri, target := range map[string]string{
		"/authz/": "/", "/authz/a?b=c": "/a?b=c", "/authz//a": "//a", "/authz/a/../b": "/a/../b",
		"/authz/%2e%2E/a;b%2Fc?%zz": "/%2e%2E/a;b%2Fc?%zz", "/authz/authz/a": "/authz/a", "/authz/?": "/?",
		"/authz/https://other.example/a": "/https://other.example/a",
	} {
		for _, header := range []http.Header{{}, claims} {
			r := pathQuestion(http.MethodDelete, "app.example:8443", uri, header)
			if !IsPathMode(r) {
				t.Errorf("%s is not recognized", uri)
			}
			got := pathRequest(r)
			want := gate.Request{
				Surface: gate.PathMode, Method: http.MethodDelete, Host: "app.example:8443", Target: target,
				RemoteAddr: "192.0.2.1:1234", IsForwarded: true,
			}
			got.Header = nil
			if got.Surface != want.Surface || got.Method != want.Method || got.Host != want.Host ||
				got.Target != want.Target || got.RemoteAddr != want.RemoteAddr || !got.IsForwarded || got.Contradictory {
				t.Errorf("%s: got %+v, want %+v", uri, got, want)
			}
		}
	}
}

// A request-target that no gateway sends is decided on as one that can be read in more than one way.
func TestPathRequest_RefusesOddRequestTargets(t *testing.T) {
	for _, uri := range []string{"/%61uthz/a", "/authz%2Fa", "http://keywright/authz/a", "/a/authz/b"} {
		r := pathQuestion(http.MethodGet, "app.example", uri, headers("Authorization: Bearer x"))
		if got := pathRequest(r); !got.Contradictory || got.Target != "" {
			t.Errorf("%s: read as %q", uri, got.Target)
		}
	}
}

func TestPathMode_RefusesForgedHeader(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/authz/a", nil)
	r.Header = http.Header{"X_auth_user": {"alice"}}
	if !pathRequest(r).Forged {
		t.Error("a client's own identity header in another spelling is not noticed")
	}
}
