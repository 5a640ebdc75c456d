package keys_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/test/fakeobjects"
	"keywright.dev/keywright/test/pagekit"
)

func textOf(_ int, s *goquery.Selection) string { return s.Text() }

func TestNew_CreatesKeyAndShowsItOnce(t *testing.T) {
	site := newLists(t)
	form := site.Get(t, pagekit.Alice, "/keys/new")
	form.Has(t, 200, "certs.read an action of AccessRole reader", "apikeys.read lists API keys", "reader",
		"Reads certificates.", "Keys end after 1h0m0s.")
	id := form.Value("form_id")
	fields := []string{
		"form_id", id, "name", " Nightly ", "description", "a\r\nb", "subject_kind", "Account", "subject_name", "ci",
		"scopes", "certs.read", "more_scopes", "x.y\r\n certs.read ", "roles", "reader", "expiry", "30",
		"budget_amount", "12.50", "budget_unit", "usd", "budget_period", "Day", "budget_action", "Deny",
	}
	r := site.Post(t, pagekit.Alice, "/keys/new", fields...)
	r.Has(t, 200, "Save this key now", "curl -i")
	key := r.Find("#key").Text()
	if !site.Verifier.Verify(key, site.Time()).Accepted() || r.Header().Get("Cache-Control") != "no-store" {
		t.Error("the key is refused, or the page is stored")
	}
	if r.Find("#export").Text() != "export KEYWRIGHT_API_KEY="+key {
		t.Error(r.Find("#export").Text())
	}
	all, err := site.Keys(t.Context(), ciJob)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	spec := all[0].Spec
	if spec.DisplayName != "Nightly" || spec.Description != "a\nb" || len(spec.Scopes) != 2 || len(spec.Roles) != 1 ||
		*spec.TTL != "720h" || spec.Budgets[0] != (v1alpha1.Budget{
		Name: "daily", USD: "12.50", Period: v1alpha1.BudgetDay, Action: v1alpha1.BudgetDeny,
	}) {
		t.Errorf("%+v", spec)
	}
	// Sent twice, the form makes one key.
	again := site.Post(t, pagekit.Alice, "/keys/new", fields...)
	again.Has(t, 409, "was created already as "+string(all[0].UID))
	if again.Value("name") != " Nightly " || strings.Contains(again.Body.String(), key) {
		t.Error("the typed values are lost, or the key is shown again")
	}
}

func TestNew_PlainUserCreatesOwnKey(t *testing.T) {
	site := newLists(t)
	form := site.Get(t, asPlainBob, "/keys/new")
	form.Has(t, 200, "The key speaks as User/bob")
	if form.Find(`[name="subject_name"]`).Length() > 0 || form.Find(`button[value="claim"]`).Length() > 0 {
		t.Error("a plain user chooses the subject")
	}
	site.Post(t, asPlainBob, "/keys/new", "form_id", form.Value("form_id"), "name", "mine", "expiry", "never").
		Has(t, 200, "Save this key now")
	if all, err := site.Keys(t.Context(), ofBob); err != nil || len(all) != 1 || all[0].Spec.TTL != nil {
		t.Error(all, err)
	}
	site.Post(t, asPlainBob, "/keys/new", "name", "theirs", "subject_kind", "Account", "subject_name", "ci",
		"expiry", "7").Has(t, 403, "API key lacks required permission")
}

// The form offers what the instance allows, and says when a key ends for which nothing is chosen.
func TestNew_ShowsLimitsOfInstance(t *testing.T) {
	for _, c := range []struct {
		limits  lifecycle.Limits
		offered string
		never   string
	}{
		{lifecycle.Limits{}, "7 30 90 365 date never", "Never"},
		{
			lifecycle.Limits{DefaultTTL: 720 * time.Hour}, "7 30 90 365 date never",
			"After 30 days (DEFAULT_TTL of this instance)",
		},
		{lifecycle.Limits{MaxTTL: 720 * time.Hour}, "7 30 date never", "After 30 days (MAX_TTL of this instance)"},
		{
			lifecycle.Limits{MaxTTL: 36 * time.Hour, DefaultTTL: time.Hour}, "date never",
			"After 1h0m0s (DEFAULT_TTL of this instance)",
		},
	} {
		site := newLists(t)
		site.Index.SetLimits(c.limits)
		form := site.Get(t, pagekit.Alice, "/keys/new")
		form.Has(t, 200, c.never)
		offered := form.Find(`[name="expiry"]`).Map(func(_ int, s *goquery.Selection) string { return s.AttrOr("value", "") })
		chosen := form.Find(`[name="expiry"][checked]`).AttrOr("value", "")
		if got := strings.Join(offered, " "); got != c.offered || !slices.Contains(offered, chosen) {
			t.Errorf("%+v: %q, %q is chosen", c.limits, got, chosen)
		}
	}
}

func TestNew_Expiry(t *testing.T) {
	for name, c := range map[string]struct {
		expiry, date string
		ttl          v1alpha1.Duration
		at           string
	}{
		"a week":     {"7", "", "168h", ""},
		"a year":     {"365", "2031-01-01", "8760h", ""},
		"a date":     {"date", "2030-06-30", "", "2030-07-01T00:00:00Z"},
		"no end":     {"never", "", "", ""},
		"this day":   {"date", "2030-01-01", "", "2030-01-02T00:00:00Z"},
		"a leap day": {"date", "2032-02-29", "", "2032-03-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newLists(t)
			site.Post(t, pagekit.Alice, "/keys/new", "name", "x", "subject_kind", "Account", "subject_name", "ci",
				"expiry", c.expiry, "date", c.date).Has(t, 200, "Save this key now")
			all, err := site.Keys(t.Context(), ciJob)
			if err != nil {
				t.Fatal(err)
			}
			spec, ttl, at := all[0].Spec, v1alpha1.Duration(""), ""
			if spec.TTL != nil {
				ttl = *spec.TTL
			}
			if spec.ExpiresAt != nil {
				at = spec.ExpiresAt.UTC().Format(time.RFC3339)
			}
			if ttl != c.ttl || at != c.at {
				t.Errorf("ttl %q, end %q", ttl, at)
			}
		})
	}
}

// A form that is refused is shown again, with what was typed and the reason beside the field.
func TestNew_RefusesAndKeepsWhatWasTyped(t *testing.T) {
	const script = `"><script>alert(1)</script>`
	for name, c := range map[string]struct {
		fields []string
		input  string
		text   string
	}{
		"no name":            {[]string{"name", " "}, "name", "is required"},
		"a key as the name":  {[]string{"name", fakeobjects.AliceKey}, "name", "has a key in it"},
		"a bad description":  {[]string{"description", "\x1b[2J"}, "description", "must not have control characters"},
		"no subject":         {[]string{"subject_name", ""}, "subject_name", "must be 1-63 letters"},
		"a script":           {[]string{"subject_name", script}, "subject_name", "must be 1-63 letters"},
		"a reserved name":    {[]string{"subject_kind", "User", "subject_name", "admin"}, "subject_name", "reserved"},
		"a day in the past":  {[]string{"expiry", "date", "date", "2029-12-30"}, "date", "must be in the future"},
		"no day":             {[]string{"expiry", "date", "date", "soon"}, "date", "must be a day such as 2030-01-01"},
		"a bad amount":       {[]string{"budget_amount", "many"}, "budget_amount", "must be an amount above 0"},
		"parts of tokens":    {[]string{"budget_amount", "1.5", "budget_unit", "tokens"}, "budget_amount", "whole number"},
		"an unknown lapse":   {[]string{"expiry", "8"}, "", "must be one of the choices"},
		"an unknown role":    {[]string{"roles", "none"}, "", `unknown role "none"`},
		"an unknown kind":    {[]string{"subject_kind", "Robot"}, "subject_name", "must be User/<name>"},
		"an unknown period":  {[]string{"budget_amount", "1", "budget_period", "Week"}, "budget_amount", "must be"},
		"a bad form id":      {[]string{"form_id", "a b"}, "", "Idempotency-Key: must be 1-255 visible ASCII characters"},
		"a scope ticked too": {[]string{"scopes", "a.b", "scopes", "a.b"}, "more_scopes", "a.b is given twice"},
	} {
		t.Run(name, func(t *testing.T) {
			site := newLists(t)
			fields := map[string][]string{
				"name": {"CI & <b>co</b>"}, "subject_kind": {"Account"}, "subject_name": {"ci"}, "expiry": {"7"},
				"budget_unit": {"usd"}, "budget_period": {"Day"}, "budget_action": {"Warn"},
			}
			for i := 0; i < len(c.fields); i += 2 {
				if i > 1 && c.fields[i] == c.fields[i-2] {
					fields[c.fields[i]] = append(fields[c.fields[i]], c.fields[i+1])
					continue
				}
				fields[c.fields[i]] = []string{c.fields[i+1]}
			}
			var pairs []string
			for field, values := range fields {
				for _, value := range values {
					pairs = append(pairs, field, value)
				}
			}
			for _, as := range []string{"", "yaml"} {
				r := site.Post(t, pagekit.Alice, "/keys/new", append(pairs, "as", as)...)
				r.Has(t, 400, c.text)
				if r.Value("name") != fields["name"][0] || r.Value("subject_name") != fields["subject_name"][0] {
					t.Errorf("typed values: %q %q", r.Value("name"), r.Value("subject_name"))
				}
				if strings.Contains(r.Body.String(), "<script>alert") || r.Find("form b").Length() > 0 {
					t.Error("what was typed is HTML")
				}
				if input := r.Find(`[aria-invalid="true"]`); c.input != "" && (input.AttrOr("name", "") != c.input ||
					!strings.Contains(input.AttrOr("aria-describedby", ""), c.input+"-error")) {
					t.Errorf("the field is %q", input.AttrOr("name", ""))
				}
			}
			if len(site.Writes()) > 0 {
				t.Error(site.Writes())
			}
		})
	}
}

func TestNew_ShowsEveryFaultAtOnce(t *testing.T) {
	site := newLists(t)
	r := site.Post(t, pagekit.Alice, "/keys/new", "name", " ", "description", "\x1b", "subject_kind", "Account",
		"subject_name", "a b", "roles", "none", "expiry", "date", "date", "soon", "budget_amount", "1.5",
		"budget_unit", "tokens", "budget_period", "Day")
	r.Has(t, 400, "The key was not created: see below")
	for input, text := range map[string]string{
		"name": "is required", "description": "must not have control characters", "subject_name": "must be 1-63 letters",
		"roles": `unknown role "none"`, "date": "must be a day such as", "budget_amount": "must be a whole number of tokens",
	} {
		if got := r.Find("#" + input + "-error").Text(); !strings.Contains(got, text) {
			t.Errorf("%s: %q, want %q", input, got, text)
		}
	}
}

func TestNew_ShowsYAML(t *testing.T) {
	site := newLists(t)
	r := site.Post(t, pagekit.Alice, "/keys/new", "form_id", "a-form", "name", "CI: Pipeline", "subject_kind", "Account",
		"subject_name", "ci", "expiry", "7", "scopes", "certs.read", "as", "yaml")
	r.Has(t, 200, "Nothing was created", "name: ci-pipeline", "displayName: 'CI: Pipeline'", "ttl: 168h")
	if r.Value("form_id") != "a-form" || r.Value("name") != "CI: Pipeline" ||
		r.Find(`[name="scopes"][checked]`).AttrOr("value", "") != "certs.read" ||
		r.Find(`[name="expiry"][checked]`).AttrOr("value", "") != "7" {
		t.Error("typed values are lost")
	}
	if len(site.Writes())+len(site.Trail.Entries()) > 0 {
		t.Error(site.Writes())
	}
}

func TestNew_CreatesClaimLink(t *testing.T) {
	site := newLists(t)
	fields := []string{
		"form_id", "a-form", "name", "CI", "subject_kind", "Account", "subject_name", "ci", "expiry", "7", "as", "claim",
	}
	r := site.Post(t, pagekit.Alice, "/keys/new", fields...)
	r.Has(t, 200, "Send this link", "It is for Account/ci", "https://example.com/claim#")
	all, err := site.Keys(t.Context(), ciJob)
	if err != nil || len(all) != 1 || len(all[0].Status.Keys) != 0 {
		t.Fatal(all, err)
	}
	site.Post(t, pagekit.Alice, "/keys/new", fields...).Has(t, 409, "its key or claim link was shown then")
	site.Post(t, pagekit.Alice, "/keys/new", append(fields, "name", "")...).Has(t, 409)
	site.Post(t, pagekit.Alice, "/keys/new", "name", "", "subject_name", "ci", "subject_kind", "Account", "expiry", "7",
		"as", "claim").Has(t, 400, "is required")
}

func TestNew_Fails(t *testing.T) {
	site := newLists(t)
	fields := []string{"name", "x", "subject_kind", "Account", "subject_name", "ci", "expiry", "7"}
	site.Post(t, pagekit.Named("dora"), "/keys/new", fields...).Has(t, 401, "Sign in", "Send it again")
	site.Post(t, pagekit.Anonymous, "/keys/new", fields...).Has(t, 401, "Sign in", "Send it again")
	site.Fail = fakeobjects.FailCall("Create", objects.ErrUnavailable)
	r := site.Post(t, pagekit.Alice, "/keys/new", fields...)
	r.Has(t, 503, "The API server is unavailable", "Send it again")
	if r.Value("subject_name") != "ci" {
		t.Error("typed values are lost")
	}
	site.Fail = fakeobjects.FailRequests(objects.ErrUnavailable)
	site.Get(t, pagekit.Alice, "/keys/new").Has(t, 503, "The API server is unavailable", "Try again")
}
