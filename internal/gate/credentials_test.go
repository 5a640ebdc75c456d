package gate_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// every is every form of a key.
var every, _ = credential.ParseForms(credential.FormNames())

func TestCredentials_OnlyListedFormsCount(t *testing.T) {
	const jwt = "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
	for name, c := range map[string]struct {
		forms  []string
		header http.Header
		want   string
	}{
		"by default, Bearer":           {nil, from(bearer(ciKey)), "key Account/ci"},
		"by default, api-key":          {nil, from("Api-Key: " + ciKey), refused},
		"by default, an app's api-key": {nil, from("Api-Key: x", bearer(ciKey)), "key Account/ci"},
		"by default, Token":            {nil, from("Authorization: Token " + ciKey), refused},
		"by default, key as user":      {nil, from(basic(ciKey, "")), "key Account/ci"},
		"by default, as at GitHub":     {nil, from(basic(ciKey, "x-oauth-basic")), "key Account/ci"},
		"user and password":            {nil, from(basic(aliceKey, ciKey)), "key Account/ci"},
		"user and a wrong password":    {nil, from(basic(aliceKey, unknownKey)), refused},

		"a JWT of the app, and a key":     {[]string{"X-API-Key"}, from(jwt, "X-Api-Key: "+ciKey), "key Account/ci"},
		"a JWT of the app, and no key":    {[]string{"X-API-Key"}, from(jwt), refused},
		"a JWT of the app, and a session": {[]string{"X-API-Key"}, from(jwt, session(bobSession)), "session User/bob"},
		"a JWT of the app, a wrong key":   {[]string{"X-API-Key"}, from(jwt, "X-Api-Key: "+unknownKey), refused},
		"a key in a form of the app":      {[]string{"X-API-Key"}, from(bearer(aliceKey)), refused},
		"another key of the app's own": {
			[]string{"X-API-Key"}, from(bearer(aliceKey), "X-Api-Key: "+ciKey), "key Account/ci",
		},
		"a scheme that is not listed": {[]string{"Authorization: Basic"}, from(bearer(ciKey)), refused},
		"and a key in a listed header": {
			[]string{"Authorization: Basic", "api-key"}, from(jwt, "Api-Key: "+ciKey), refused,
		},

		"Token":                  {[]string{"Authorization: Token"}, from("Authorization: token " + ciKey), "key Account/ci"},
		"x-goog-api-key":         {[]string{"x-goog-api-key"}, from("X-Goog-Api-Key: " + ciKey), "key Account/ci"},
		"one key in two headers": {every.Names(), from("X-Goog-Api-Key: "+ciKey, "Api-Key: "+ciKey), "key Account/ci"},
		"two keys":               {every.Names(), from("X-Goog-Api-Key: "+ciKey, "Api-Key: "+aliceKey), refused},
		"an empty one":           {every.Names(), from("X-Goog-Api-Key: "+ciKey, "Api-Key: "), refused},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.use(t, config.Runtime{Credentials: c.forms})
			if d := h.ask(http.MethodGet, "/", c.header); describe(&d) != c.want {
				t.Errorf("got %s, want %s", describe(&d), c.want)
			}
		})
	}
}

// Management reads the forms of docs/compatibility.md whatever CREDENTIALS has, and challenges for them.
func TestCredentials_ManagementKeepsItsForms(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{Credentials: []string{"api-key", "Authorization: Token"}})
	for name, header := range map[string]http.Header{
		"Bearer": from(bearer(aliceKey)), "Basic": from(basic("any", aliceKey)), "X-API-Key": from("X-Api-Key: " + aliceKey),
		"beside a header of another form": from(bearer(aliceKey), "Api-Key: "+ciKey),
	} {
		identified, recognized := h.Identify(header), h.IdentifyOrAnonymous(header)
		for _, d := range []gate.Decision{identified, recognized} {
			if describe(&d) != "key User/alice admin" {
				t.Errorf("%s: %s", name, describe(&d))
			}
		}
	}
	for _, line := range []string{"Api-Key: " + aliceKey, "Authorization: Token " + aliceKey} {
		d := h.Identify(from(line))
		if got := challenges(&d); describe(&d) != refused || len(got) != 2 || !strings.HasPrefix(got[0], "Bearer ") {
			t.Errorf("%s: %s, %q", line, describe(&d), got)
		}
		if d := h.IdentifyOrAnonymous(from(line)); describe(&d) != anonymous {
			t.Errorf("%s: %s", line, describe(&d))
		}
	}
}

// challenges returns the schemes and parameters of a refusal.
func challenges(d *gate.Decision) []string { return d.Refusal().Header["Www-Authenticate"] }

// A challenge for a scheme that does not count would make browsers and Git ask for a password in vain.
func TestCredentials_ChallengesForListedSchemes(t *testing.T) {
	const invalid = `, error="invalid_token"`
	for list, want := range map[string][]string{
		"":                                {`Bearer realm="keywright"` + invalid, `Basic realm="keywright", charset="UTF-8"`},
		"X-API-Key,Authorization: Bearer": {`Bearer realm="keywright"` + invalid},
		"X-API-Key,Authorization: Basic":  {`Basic realm="keywright", charset="UTF-8"`},
		"X-API-Key,Authorization: Token":  {`Token realm="keywright"` + invalid},
		"X-API-Key":                       {`ApiKey realm="keywright"` + invalid},
		"X-API-Key,api-key":               {`ApiKey realm="keywright"` + invalid},
		strings.Join(credential.FormNames(), ","): {
			`Bearer realm="keywright"` + invalid, `Basic realm="keywright", charset="UTF-8"`,
			`Token realm="keywright"` + invalid,
		},
	} {
		h := newFixture(t)
		var runtime config.Runtime
		if list != "" {
			runtime.Credentials = strings.Split(list, ",")
		}
		h.use(t, runtime)
		wrong := h.ask(http.MethodGet, "/", from("X-Api-Key: "+unknownKey))
		if got := challenges(&wrong); wrong.Refusal().Status != http.StatusUnauthorized || !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", list, got, want)
		}
		none := h.ask(http.MethodGet, "/", from())
		for i := range want {
			want[i] = strings.TrimSuffix(want[i], invalid)
		}
		if got := challenges(&none); !slices.Equal(got, want) {
			t.Errorf("%s, without a key: %q, want %q", list, got, want)
		}
		if shared := gate.Refusals(); !slices.Contains(shared, wrong.Refusal()) || !slices.Contains(shared, none.Refusal()) {
			t.Errorf("%s: the refusals are not shared", list)
		}
	}
}

func TestRefusals_HasEveryRefusalOfAnOutcome(t *testing.T) {
	shared := gate.Refusals()
	for _, outcome := range gate.Outcomes() {
		d := gate.Decision{Outcome: outcome}
		if refusal := d.Refusal(); refusal != nil && !slices.Contains(shared, refusal) {
			t.Errorf("%s is missing", outcome)
		}
	}
}

func TestNewRules_UnknownForm(t *testing.T) {
	rules, err := gate.NewRules(config.Runtime{Credentials: []string{"X-API-Key", "X-Future-Key"}})
	if err == nil || rules != nil || err.Error() != `credentials: one of ["X-API-Key" "X-Future-Key"] is unknown` {
		t.Error(err)
	}
}

// A header of keys in another spelling refuses the request only if keys count in its form.
func TestOddForms_RefusedIfTheyCount(t *testing.T) {
	h := newFixture(t)
	for forms, want := range map[credential.Forms]gate.Outcome{
		0: gate.Allowed, credential.APIKey: gate.Allowed, credential.GoogAPIKey: gate.Ambiguous,
		credential.APIKey | credential.XAPIKey: gate.Ambiguous,
	} {
		h.use(t, config.Runtime{Credentials: []string{"Authorization: Bearer", "x-goog-api-key", "X-API-Key"}})
		request := gate.Request{Method: "GET", Host: "h", Target: "/", Header: from(bearer(aliceKey)), OddForms: forms}
		if d := h.Decide(&request); d.Outcome != want {
			t.Errorf("%q: %s, want %s", forms.Names(), d.Outcome, want)
		}
	}
}
