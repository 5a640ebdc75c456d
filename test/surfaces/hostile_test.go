package surfaces

import (
	"bufio"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

func statusOf(tb testing.TB, reply string) int {
	tb.Helper()
	read, err := http.ReadResponse(bufio.NewReader(strings.NewReader(reply)), nil)
	must(tb, err)
	_ = read.Body.Close()
	return read.StatusCode
}

func basicOf(userPass string) string { return base64.StdEncoding.EncodeToString([]byte(userPass)) }

const (
	byCI   = "Authorization: Bearer " + ci
	forged = "mallory"
)

// spellings returns ways to write a header name that an app may read as the same.
func spellings(name string) []string {
	all := []string{name, strings.ToLower(name), strings.ToUpper(name)}
	for _, separator := range []string{"_", ".", "~", "!", "'", "|"} {
		all = append(all, strings.ReplaceAll(name, "-", separator), strings.Replace(name, "-", separator, 1))
		if last := strings.LastIndex(name, "-"); last >= 0 {
			all = append(all, strings.ToUpper(name[:last])+separator+strings.ToLower(name[last+1:]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// spelled returns every spelling of the known headers of some uses.
func spelled(isWanted func(*gate.KnownHeader) bool) map[string]*gate.KnownHeader {
	all := map[string]*gate.KnownHeader{}
	for _, known := range gate.KnownHeaders() {
		if isWanted(known) {
			for _, spelling := range spellings(known.Name) {
				all[spelling] = known
			}
		}
	}
	return all
}

// reading returns the name that a CGI-style app reads a header as.
func reading(name string) string {
	return http.CanonicalHeaderKey(strings.Map(func(c rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", c) {
			return c
		}
		return '-'
	}, name))
}

// arrives reports whether the app reads the forged value in a header of that name.
func (o outcome) arrives(name string) bool {
	for spelling, values := range o.app {
		if reading(spelling) == name && strings.Contains(strings.Join(values, ","), forged) {
			return true
		}
	}
	return false
}

// every is every form of a key.
var every, _ = credential.ParseForms(credential.FormNames())

func isMethodOverride(h *gate.KnownHeader) bool { return h.Use == gate.HeaderMethodOverride }

// A known header of the client never arrives, however it is written and however often it is sent.
func TestHostile_KnownHeadersNeverArrive(t *testing.T) {
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			send := s.open(t, newGate(t, config.Runtime{Credentials: every.Names()}))
			for spelling, known := range spelled(func(h *gate.KnownHeader) bool { return !h.IsForApp(every) }) {
				if known.Use == gate.HeaderOrigin && strings.EqualFold(spelling, known.Name) {
					continue // Gateways append to these headers or replace them.
				}
				line := spelling + ": " + forged
				for _, lines := range [][]string{{byCI, line}, {line, byCI, line}} {
					checkNeverArrives(t, send(t, sent("GET", lines...)), known, spelling)
				}
			}
		})
	}
}

func checkNeverArrives(t *testing.T, got outcome, known *gate.KnownHeader, spelling string) {
	t.Helper()
	isRefused := got.app == nil && (got.status == http.StatusForbidden || got.status == http.StatusUnauthorized)
	switch {
	case got.app == nil && !isRefused:
		t.Errorf("%s: status %d", spelling, got.status)
	case got.app == nil:
	case got.arrives(known.Name):
		t.Errorf("%s arrives: %q", spelling, got.app)
	default:
		checkIdentity(t, got, "Account/ci")
	}
}

// checkIdentity expects one subject in all headers that the app may read as X-Auth-Subject.
func checkIdentity(t *testing.T, got outcome, subject string) {
	t.Helper()
	var subjects []string
	for name, values := range got.app {
		if reading(name) == gate.HeaderSubject {
			subjects = append(subjects, values...)
		}
	}
	if !slices.Equal(subjects, []string{subject}) {
		t.Errorf("the app reads the subjects %q, want %s", subjects, subject)
	}
}

// A method override counts in every spelling.
func TestHostile_MethodOverrides(t *testing.T) {
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			send := s.open(t, newGate(t, listed))
			for spelling, known := range spelled(isMethodOverride) {
				for value, want := range map[string]int{
					"DELETE": 403, "get": 200, "": 403, "GET,DELETE": 403, "GET, GET": 200, "GET;": 403,
				} {
					if got := send(t, sent("GET", byCI, spelling+": "+value)); got.status != want {
						t.Errorf("%s: %s: %d, want %d", spelling, value, got.status, want)
					}
				}
				both := []string{byCI, known.Name + ": GET", spelling + ": PUT"}
				if got := send(t, sent("GET", both...)); got.status != http.StatusForbidden {
					t.Errorf("%s beside another: %d", spelling, got.status)
				}
			}
		})
	}
}

// hostile are requests that every surface answers alike.
var hostile = map[string]struct {
	request
	want int
	// subject is the caller of an admitted request.
	subject string
}{
	"a key":                           {sent("POST", byCI), 200, "Account/ci"},
	"name in capitals":                {sent("POST", "AUTHORIZATION: Bearer "+ci), 200, "Account/ci"},
	"name in lower case":              {sent("POST", "x-api-key: "+ci), 200, "Account/ci"},
	"not listed":                      {sent("POST", "X-Api-Key: "+another), 403, ""},
	"two keys of one name":            {sent("GET", byCI, "Authorization: Bearer "+another), 401, ""},
	"two keys of two names":           {sent("GET", byCI, "X-Api-Key: "+another), 401, ""},
	"a key and another as a password": {sent("GET", byCI, "Authorization: Basic "+basicOf("x:"+another)), 401, ""},
	"a key with underscores":          {sent("GET", "X_Api_Key: "+ci), 401, ""},
	"a key with dots":                 {sent("GET", "X.Api.Key: "+ci), 401, ""},
	"an empty key beside one":         {sent("GET", byCI, "X-Api-Key:"), 401, ""},
	"a proxy name":                    {sent("GET", "X-Forwarded-User: bob"), 200, "User/bob"},
	"a proxy name twice": {
		sent("GET", "X-Forwarded-User: bob", "x-forwarded-user: bob"), 200, "User/bob",
	},
	"two proxy names":              {sent("GET", "X-Forwarded-User: bob", "X-Forwarded-User: eve"), 401, ""},
	"two proxy names in one line":  {sent("GET", "X-Forwarded-User: bob,eve"), 401, ""},
	"a proxy name and an empty":    {sent("GET", "X-Forwarded-User: bob", "X-Forwarded-User:"), 401, ""},
	"a proxy name in an odd way":   {sent("GET", "X_Forwarded_User: bob"), 401, ""},
	"a proxy name, admin":          {sent("GET", "X-Forwarded-User: AdMin"), 401, ""},
	"a proxy name and a wrong key": {sent("GET", "X-Forwarded-User: bob", "X-Api-Key: unknown"), 401, ""},
	"a key as user":                {sent("GET", "Authorization: Basic "+basicOf(ci+":")), 200, "Account/ci"},
	"a key as user, as at GitHub":  {sent("GET", "Authorization: Basic "+basicOf(ci+":x-oauth-basic")), 200, "Account/ci"},
	"anonymous":                    {sent("GET"), 401, ""},
	"anonymous, forged identity":   {sent("GET", "X-Auth-User: bob", "X_Auth_Admin: true"), 401, ""},
}

func TestHostile_AnsweredAlike(t *testing.T) {
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			send := s.open(t, newGate(t, config.Runtime{AllowedUsers: listed.AllowedUsers, TrustProxyHeaders: true}))
			for name, c := range hostile {
				got := send(t, c.request)
				if got.status != c.want || (got.app != nil) != (c.want == http.StatusOK) {
					t.Errorf("%s: %d, want %d", name, got.status, c.want)
				}
				if got.app != nil {
					checkIdentity(t, got, c.subject)
				}
			}
		})
	}
}
