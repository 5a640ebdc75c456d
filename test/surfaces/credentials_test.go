package surfaces

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// presented has header lines of one key in every form, by the form's name.
var presented = map[string]string{
	"Authorization: Bearer": byCI,
	"Authorization: Basic":  "Authorization: Basic " + basicOf(":"+ci),
	"Authorization: Token":  "authorization: Token " + ci,
	"X-API-Key":             "x-api-key: " + ci,
	"x-goog-api-key":        "X-GOOG-API-KEY: " + ci,
	"api-key":               "Api-Key: " + ci,
}

// Each surface reads the keys in the listed forms, and removes them.
func TestCredentials_AcceptedAndWithheld(t *testing.T) {
	for _, s := range surfaces {
		for form, line := range presented {
			send := s.open(t, newGate(t, config.Runtime{Credentials: []string{form}}))
			got := send(t, sent("GET", line))
			if got.status != http.StatusOK {
				t.Errorf("%s: %s: %d", s.name, form, got.status)
				continue
			}
			checkIdentity(t, got, "Account/ci")
			for name, values := range got.app {
				if strings.Contains(strings.Join(values, ","), ci) || strings.EqualFold(name, "authorization") {
					t.Errorf("%s: %s: the app gets %s", s.name, form, name)
				}
			}
		}
	}
}

// ofApp are headers that an app may have for itself, by the forms that are listed beside them.
var ofApp = map[string][]string{
	"X-API-Key": {
		"Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "Authorization: AWS4-HMAC-SHA256 Credential=a/b",
		"authorization: Negotiate YII=", "Authorization:", "Api-Key: of the app", "api_key: of the app",
		"api.key: of the app", "X-Goog-Api-Key: of the app", "x_goog_api_key: of the app", "API-KEY: " + another,
	},
	"Authorization: Bearer": {"X-API-Key: of the app", "x_api_key: of the app", "Api-Key:", "api-key: " + another},
	"api-key":               {"X-Api-Key: " + another, "X_API_KEY: of the app", "Authorization: Basic !"},
}

// A header that no listed form uses is neither read nor removed nor changed.
func TestCredentials_OtherHeadersAreTheApps(t *testing.T) {
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			for form, lines := range ofApp {
				send := s.open(t, newGate(t, config.Runtime{Credentials: []string{form}}))
				for _, line := range lines {
					got := send(t, sent("GET", presented[form], line))
					if got.status != http.StatusOK {
						t.Errorf("%s beside %s: %d", line, form, got.status)
						continue
					}
					checkIdentity(t, got, "Account/ci")
					name, value, _ := strings.Cut(line, ":")
					if values := got.valuesOf(name); !slices.Equal(values, []string{strings.TrimSpace(value)}) {
						t.Errorf("%s beside %s: the app gets %q", line, form, values)
					}
					if got := send(t, sent("GET", line)); got.status != http.StatusUnauthorized {
						t.Errorf("%s, alone, where %s counts: %d", line, form, got.status)
					}
				}
			}
		})
	}
}

// valuesOf returns the values that the app gets in a header of that name, in any case.
func (o outcome) valuesOf(name string) (all []string) {
	for sent, values := range o.app {
		if strings.EqualFold(sent, name) {
			all = append(all, values...)
		}
	}
	return all
}

// Requests with several credentials, or with a scheme that is not listed.
func TestCredentials_RefusedAlike(t *testing.T) {
	runtime := config.Runtime{Credentials: []string{"Authorization: Basic", "api-key"}}
	for _, s := range surfaces {
		send := s.open(t, newGate(t, runtime))
		for name, c := range map[string]struct {
			lines []string
			want  int
		}{
			"the same key twice":   {[]string{presented["Authorization: Basic"], presented["api-key"]}, 200},
			"two keys":             {[]string{presented["Authorization: Basic"], "api-key: " + another}, 401},
			"a scheme of no form":  {[]string{presented["Authorization: Bearer"], presented["api-key"]}, 401},
			"an empty key":         {[]string{presented["Authorization: Basic"], "api-key:"}, 401},
			"a form of management": {[]string{presented["X-API-Key"]}, 401},
		} {
			if got := send(t, sent("GET", c.lines...)); got.status != c.want {
				t.Errorf("%s: %s: %d, want %d", s.name, name, got.status, c.want)
			}
		}
	}
}

// public has a public route for hooks beside a guarded one, and an allow list.
var public = config.Runtime{
	AllowedUsers: []string{"Account/ci"}, DenyUnmatched: true,
	Routes: []routes.Route{
		{Match: "/hooks/", Anonymous: true}, {Match: "OPTIONS /things", Anonymous: true}, {Match: "/things"},
	},
}

func TestPublicRoutes_AnsweredAlike(t *testing.T) {
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			send := s.open(t, newGate(t, public))
			for name, c := range map[string]struct {
				request
				want int
				// subject is the caller of an admitted request.
				subject string
			}{
				"a write":            {request{method: "POST", target: "/hooks/a"}, 200, ""},
				"a preflight":        {sent("OPTIONS", "Origin: https://a.example"), 200, ""},
				"a guarded route":    {request{method: "GET"}, 401, ""},
				"an app's own token": {request{method: "POST", target: "/hooks/a", lines: []string{"X-Hook-Token: a"}}, 200, ""},
				"a key":              {request{method: "POST", target: "/hooks/a", lines: []string{byCI}}, 200, "Account/ci"},
				"a key that is not listed": {
					request{method: "POST", target: "/hooks/a", lines: []string{"X-Api-Key: " + another}}, 200, "Account/other",
				},
				"a wrong key": {
					request{method: "POST", target: "/hooks/a", lines: []string{"X-Api-Key: unknown"}}, 401, "",
				},
				"a budget that is used up": {
					request{method: "POST", target: "/hooks/a", lines: []string{"X-Api-Key: " + spent}}, 429, "",
				},
				"another path":          {request{method: "GET", target: "/hooks/../things"}, 401, ""},
				"another path, encoded": {request{method: "GET", target: "/hooks/..%2Fthings"}, 401, ""},
				"a session that ended": {
					request{method: "POST", target: "/hooks/a", lines: []string{"Cookie: keywright_session=ended"}}, 200, "",
				},
				"a saved name": {
					request{method: "POST", target: "/hooks/a", lines: []string{"Cookie: keywright_user=bob"}}, 200, "",
				},
				"a name, not from a trusted proxy": {
					request{method: "POST", target: "/hooks/a", lines: []string{"X-Forwarded-User: bob"}}, 200, "",
				},
				"a forged identity": {
					request{method: "POST", target: "/hooks/a", lines: []string{
						"X-Auth-User: bob", "X-Auth-Subject: User/bob", "X-Auth-Key-Id: 1", "X-Auth-Scopes: a", "X-Auth-Admin: true",
					}}, 200, "",
				},
			} {
				got := send(t, c.request)
				if got.status != c.want || (got.app != nil) != (c.want == http.StatusOK) {
					t.Errorf("%s: %d, want %d", name, got.status, c.want)
				}
				if got.app != nil {
					checkCaller(t, name, got, c.subject)
				}
			}
		})
	}
}

// checkCaller expects a subject without a username and without rights, or an anonymous caller.
func checkCaller(t *testing.T, name string, got outcome, subject string) {
	t.Helper()
	want := map[string]string{gate.HeaderUser: "", gate.HeaderSubject: subject, gate.HeaderAdmin: "false"}
	if subject == "" {
		want[gate.HeaderKeyID], want[gate.HeaderScopes] = "", ""
	}
	for header, value := range want {
		// An empty header may be missing.
		if values := strings.Join(got.valuesOf(header), ","); values != value {
			t.Errorf("%s: the app gets %s: %q", name, header, values)
		}
	}
}

// A forged identity in another spelling never arrives on a public route either.
func TestPublicRoutes_ForgedIdentityNeverArrives(t *testing.T) {
	isIdentity := func(h *gate.KnownHeader) bool { return h.Use == gate.HeaderIdentity }
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			send := s.open(t, newGate(t, public))
			for spelling, known := range spelled(isIdentity) {
				got := send(t, request{method: "POST", target: "/hooks/a", lines: []string{spelling + ": " + forged}})
				if got.arrives(known.Name) || got.app == nil && got.status != http.StatusUnauthorized {
					t.Errorf("%s: %d, %q", spelling, got.status, got.app)
				}
			}
		})
	}
}
