package gate_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
)

// badKeys are the refused keys, by verdict.
var badKeys = map[string][]http.Header{
	"unknown":        {from(bearer(unknownKey)), from(basic("x", unknownKey)), from("X-Api-Key: " + unknownKey)},
	"revoked":        {from(bearer(revokedKey))},
	"expired":        {from(bearer(erinKey))},
	"disabled":       {from(bearer(daveKey)), from(basic("dave", daveKey))},
	"demoted":        {from(bearer(ginaKey))},
	"owner_disabled": {from(bearer(davesAPIKey))},
	"malformed": {
		from(bearer("short")), from(bearer(mistypedKey)), from("Authorization: "), from("Authorization: Basic !"),
		from("X-Api-Key: "),
		from(bearer(strings.Repeat("x", 64<<10))), from("Authorization: Nonsense " + aliceKey),
		from(bearer(aliceKey + " " + aliceKey)),
		from(bearer("caf\xe9-and-more-of-it-than-that")), http.Header{"X-Api-Key": {aliceKey + "\n" + aliceKey}},
	},
}

func answerOf(d *gate.Decision) *http.Response {
	recorder := httptest.NewRecorder()
	d.Refusal().Answer(recorder)
	return recorder.Result()
}

// A reply reveals neither whether a key once worked, nor whether its form is right, nor the configuration.
func TestRefusal_IsTheSameForEveryRefusedKey(t *testing.T) {
	const want = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n" +
		"Cache-Control: no-store\r\nContent-Type: application/json\r\n" +
		"Www-Authenticate: Bearer realm=\"keywright\", error=\"invalid_token\"\r\n" +
		"Www-Authenticate: Basic realm=\"keywright\", charset=\"UTF-8\"\r\n\r\n" +
		`{"error":{"code":401,"what":"invalid token"}}` + "\n"
	for name, runtime := range map[string]config.Runtime{
		"nothing configured": {}, "a list": {AllowedUsers: []string{"dave"}},
		"routes": {Routes: someRoutes, DenyUnmatched: true},
		"names":  {TrustProxyHeaders: true, TrustUsernames: true, AnonymousReads: true},
	} {
		h := newFixture(t)
		h.use(t, runtime)
		for verdict, headers := range badKeys {
			for i, header := range headers {
				for _, method := range []string{"GET", "POST", ""} {
					header := header.Clone()
					header["Cookie"] = []string{"keywright_session=" + aliceSession}
					header["X-Forwarded-User"] = []string{"carol"}
					d := h.ask(method, "/certs", header)
					if d.Outcome != gate.Unauthenticated || !d.Presented || d.SetCookie != "" ||
						d.Caller.Identity() != new(gate.Caller).Identity() {
						t.Fatalf("%s, %s %d, %s: %s, %+v", name, verdict, i, method, describe(&d), d.Caller)
					}
					if got := written(t, &d); got != want {
						t.Fatalf("%s, %s %d, %s: got %s, want %s", name, verdict, i, method, got, want)
					}
				}
			}
		}
	}
}

// The fault is the request's, whatever its keys are worth.
func TestRefusal_OfSeveralKeysSaysSo(t *testing.T) {
	for _, keys := range [][2]string{{aliceKey, ciKey}, {aliceKey, unknownKey}, {revokedKey, unknownKey}} {
		d := newFixture(t).ask(http.MethodGet, "/", from(bearer(keys[0]), "X-Api-Key: "+keys[1]))
		const want = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n" +
			"Cache-Control: no-store\r\nContent-Type: application/json\r\n" +
			"Www-Authenticate: Bearer realm=\"keywright\", error=\"invalid_request\"\r\n" +
			"Www-Authenticate: Basic realm=\"keywright\", charset=\"UTF-8\"\r\n\r\n" +
			`{"error":{"code":401,"what":"the request presents several different keys"}}` + "\n"
		if got := written(t, &d); got != want || d.Outcome != gate.Unauthenticated {
			t.Errorf("%s: got %s, want %s", describe(&d), got, want)
		}
	}
}

// written returns the reply byte for byte.
func written(t *testing.T, d *gate.Decision) string {
	t.Helper()
	response := answerOf(d)
	defer response.Body.Close()
	var b strings.Builder
	if err := response.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRefusal_ChallengesWithoutErrorIfNothingWasPresented(t *testing.T) {
	d := newFixture(t).ask(http.MethodGet, "/", from())
	want := []string{`Bearer realm="keywright"`, `Basic realm="keywright", charset="UTF-8"`}
	response := answerOf(&d)
	defer response.Body.Close()
	if got := response.Header.Values("WWW-Authenticate"); response.StatusCode != http.StatusUnauthorized ||
		!slices.Equal(got, want) {
		t.Fatalf("%d %q", response.StatusCode, got)
	}
}

func TestRefusal_OfEachOutcome(t *testing.T) {
	const (
		lacks  = `{"error":{"code":4003,"what":"API key lacks required permission"}}`
		listed = "User not allowed. Contact an administrator to be added to the allow list."
	)
	for outcome, want := range map[gate.Outcome]struct {
		status int
		body   string
		retry  string
	}{
		gate.Unauthenticated: {401, `{"error":{"code":401,"what":"invalid token"}}`, ""},
		gate.NotListed:       {403, `{"detail":"` + listed + `","error":{"code":4003,"what":"` + listed + `"}}`, ""},
		gate.NotPermitted:    {403, lacks, ""},
		gate.NotOwner:        {403, lacks, ""},
		gate.Unmatched:       {403, `{"error":{"code":4003,"what":"No route allows this request"}}`, ""},
		gate.Ambiguous:       {403, `{"error":{"code":4003,"what":"The request can be read in more than one way"}}`, ""},
		gate.Undescribed: {
			403, `{"error":{"code":4003,"what":"The gateway did not describe the request: its method, path or host is missing"}}`, "",
		},
		gate.OverBudget: {429, `{"error":{"code":4029,"what":"A budget is used up"}}`, "1"},
		gate.NotReady:   {503, `{"error":{"code":5000,"what":"not ready yet"}}`, "1"},
		gate.Stale:      {503, `{"error":{"code":5000,"what":"the view of the cluster is too old"}}`, "1"},
	} {
		t.Run(outcome.String(), func(t *testing.T) {
			d := gate.Decision{Outcome: outcome}
			recorder := httptest.NewRecorder()
			d.Refusal().Answer(recorder)
			header := recorder.Header()
			if recorder.Code != want.status || recorder.Body.String() != want.body+"\n" ||
				header.Get("Retry-After") != want.retry {
				t.Errorf("%d %s %q", recorder.Code, recorder.Body, header)
			}
			if !json.Valid(recorder.Body.Bytes()) || header.Get("Content-Type") != "application/json" ||
				header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %q", recorder.Body, header)
			}
			if challenged := header.Get("WWW-Authenticate") != ""; challenged != (want.status == http.StatusUnauthorized) {
				t.Errorf("%q", header)
			}
		})
	}
	for _, outcome := range gate.Outcomes() {
		if d := (gate.Decision{Outcome: outcome, Presented: true}); (d.Refusal() == nil) != (outcome == gate.Allowed) {
			t.Errorf("%s: %v", outcome, d.Refusal())
		}
	}
}

func TestObservability_DistinguishesRefusalsWithoutKeys(t *testing.T) {
	h := newFixture(t)
	for verdict, headers := range badKeys {
		before := h.verdicts(t)[verdict]
		for _, header := range headers {
			h.ask(http.MethodGet, "/", header)
			line := h.log.Take()
			if !strings.Contains(line, `"outcome":"unauthenticated"`) || !strings.Contains(line, `"verdict":"`+verdict+`"`) {
				t.Errorf("%s: %s", verdict, line)
			}
			if verdict == "expired" && !strings.Contains(line, `"keyID":"`+h.ring.Digest(erinKey).KeyID()+`"`) {
				t.Errorf("the key id is missing: %s", line)
			}
			noKeys(t, line)
		}
		if got := h.verdicts(t)[verdict] - before; got != float64(len(headers)) {
			t.Errorf("%s: counted %v, want %d", verdict, got, len(headers))
		}
	}
	for _, header := range []http.Header{
		from(bearer(aliceKey)), from(basic("x", bobsAPIKey)), from(session(aliceSession)), from(session(noSession)),
	} {
		h.ask(http.MethodGet, "/", header)
		h.Identify(header)
		noKeys(t, h.log.Take())
	}
	if problems, err := testutil.GatherAndLint(h.registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func noKeys(t *testing.T, text string) {
	t.Helper()
	for _, secret := range allKeys {
		if strings.Contains(text, secret) {
			t.Error("a key or a session is in the log")
		}
	}
}

// verdicts returns the counts by verdict.
func (h *fixture) verdicts(t *testing.T) map[string]float64 {
	t.Helper()
	return h.counts(t, "keywright_verifications_total")
}

func (h *fixture) counts(t *testing.T, metric string) map[string]float64 {
	t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == metric {
				counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return counts
}

func TestMetrics_CountEachDecisionOnce(t *testing.T) {
	h := newFixture(t)
	h.use(t, config.Runtime{Routes: someRoutes, AllowedUsers: []string{"bob"}})
	h.ask("GET", "/public/", from(bearer(aliceKey)))
	h.ask("GET", "/public/", from())
	h.ask("POST", "/certs", from(bearer(ciKey)))
	h.ask("POST", "/certs", from(bearer(bobsAPIKey)))
	h.ask("GET", "/users/zoe/", from(bearer(bobsAPIKey)))
	h.ask("GET", "", from(bearer(bobsAPIKey)))
	h.ask("GET", "/users/bob;carol/", from(bearer(bobsAPIKey)))
	h.ask("GET", "/public/", from(bearer(spentKey)))
	h.Identify(from(bearer(aliceKey)))
	h.Identify(from())
	h.use(t, config.Runtime{DenyUnmatched: true})
	h.ask("GET", "/", from(bearer(aliceKey)))
	h.use(t, config.Runtime{StaleAfter: 1})
	h.view.age.Store(2)
	h.ask("GET", "/", from(bearer(aliceKey)))
	h.Use(nil)
	h.ask("GET", "/", from(bearer(aliceKey)))
	counts := h.counts(t, "keywright_decisions_total")
	for _, outcome := range gate.Outcomes() {
		want := 1.0
		if outcome == gate.Allowed || outcome == gate.Unauthenticated {
			want = 2
		}
		if counts[outcome.String()] != want {
			t.Errorf("%s: %v, want %v", outcome, counts[outcome.String()], want)
		}
	}
}
