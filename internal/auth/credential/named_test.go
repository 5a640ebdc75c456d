package credential_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/credential"
)

func cookies(lines ...string) http.Header { return http.Header{"Cookie": lines} }

func TestSession(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"none":                 {http.Header{}, ""},
		"alone":                {cookies("keywright_session=abc"), "abc"},
		"among others":         {cookies("a=b; keywright_session=abc; c=d"), "abc"},
		"in a separate header": {cookies("a=b", "keywright_session=abc"), "abc"},
		"in quotes":            {cookies(`keywright_session="abc"`), "abc"},
		"among broken ones":    {cookies(`a={"b":"c, d"}; keywright_session=abc; ; =; e`), "abc"},
		"broken itself":        {cookies(`keywright_session=a\bc`), ""},
		"empty":                {cookies("keywright_session="), ""},
		"the same twice":       {cookies("keywright_session=abc; keywright_session=abc"), "abc"},
		"two":                  {cookies("keywright_session=abc; keywright_session=def"), ""},
		"two, in two headers":  {cookies("keywright_session=abc", "keywright_session=def"), ""},
		"one and an empty one": {cookies("keywright_session=abc; keywright_session="), ""},
		"in another case":      {cookies("Keywright_Session=abc"), ""},
		"in another's value":   {cookies("a=keywright_session=abc"), ""},
		"in a long header":     {cookies("keywright_session=abc; a=" + strings.Repeat("b", 16<<10)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := credential.Session(c.header); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Scripts show the name, so the cookie is not HttpOnly.
func TestSaveName(t *testing.T) {
	for name, c := range map[string]struct {
		name   string
		secure bool
		want   string
	}{
		"secure":   {"carol", true, "keywright_user=carol; Path=/; Max-Age=31536000; Secure; SameSite=Lax"},
		"insecure": {"carol", false, "keywright_user=carol; Path=/; Max-Age=31536000; SameSite=Lax"},
		"beyond ASCII": {
			"Carol Müller", true, "keywright_user=Carol%20M%C3%BCller; Path=/; Max-Age=31536000; Secure; SameSite=Lax",
		},
		"attributes in the name": {
			`c; Domain=example.com, "x"\`, false,
			"keywright_user=c%3B%20Domain=example.com%2C%20%22x%22%5C; Path=/; Max-Age=31536000; SameSite=Lax",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := credential.SaveName(c.name, c.secure); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
		})
	}
}

// Any name that a proxy may send comes back from the browser unchanged. Otherwise each request would set the
// cookie again.
func TestSavedName_ComesBackUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := rapid.OneOf(
			rapid.String(), rapid.StringMatching(`[ -~]{1,60}`), rapid.StringMatching(`[%0-9A-F+";=,\\ äß漢]{1,30}`),
		).Draw(t, "name")
		name := credential.ProxyUser(http.Header{"X-Forwarded-User": {sent}})
		if name == "" {
			return
		}
		header := http.Header{}
		saved, err := http.ParseSetCookie(credential.SaveName(name, rapid.Bool().Draw(t, "secure")))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		request := http.Request{Header: header}
		request.AddCookie(&http.Cookie{Name: "other", Value: "x"})
		request.AddCookie(saved)
		if got := credential.SavedName(header); got != name {
			t.Fatalf("saved %q, got %q", name, got)
		}
	})
}

// A name goes into headers, logs and pages.
func FuzzNames(f *testing.F) {
	f.Add("carol", "keywright_user=carol; keywright_session=x")
	f.Add(" ADMIN ", "keywright_user=%41dmin")
	f.Add("a\x00", "keywright_user=%00%ff;;=\"")
	f.Fuzz(func(t *testing.T, forwarded, cookie string) {
		header := http.Header{"X-Forwarded-User": {forwarded}, "Cookie": {cookie}}
		for _, name := range []string{credential.ProxyUser(header), credential.SavedName(header)} {
			switch {
			case strings.EqualFold(name, "admin"), len(name) > 128, name != strings.TrimSpace(name):
				t.Fatalf("%q", name)
			case !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
				t.Fatalf("%q", name)
			}
		}
		if s := credential.Session(header); strings.ContainsAny(s, "; \r\n\x00") {
			t.Fatalf("%q", s)
		}
	})
}

func TestWithoutSession_LeavesOtherCookies(t *testing.T) {
	for name, c := range map[string]struct {
		lines, want []string
		had         bool
	}{
		"none":                        {nil, nil, false},
		"no session":                  {[]string{"a=1;  b=\"x y\""}, []string{"a=1;  b=\"x y\""}, false},
		"the session alone":           {[]string{"keywright_session=s"}, nil, true},
		"first":                       {[]string{"keywright_session=s; a=1"}, []string{"a=1"}, true},
		"in the middle":               {[]string{"a=1; keywright_session=s;b=2"}, []string{"a=1;b=2"}, true},
		"two sessions in two headers": {[]string{"keywright_session=s; a=1", "keywright_session=t"}, []string{"a=1"}, true},
		"a longer name":               {[]string{"keywright_session_x=1"}, []string{"keywright_session_x=1"}, false},
		"as a value":                  {[]string{"a=keywright_session"}, []string{"a=keywright_session"}, false},
		"joined by a comma":           {[]string{"a=1, keywright_session=s; b=2"}, []string{"b=2"}, true},
		"spaces in the name":          {[]string{" keywright_session =s; b=2"}, []string{"b=2"}, true},
	} {
		if got, had := credential.WithoutSession(c.lines); !slices.Equal(got, c.want) || had != c.had {
			t.Errorf("%s: got %q, %t, want %q, %t", name, got, had, c.want, c.had)
		}
	}
}

func TestProxyUser(t *testing.T) {
	for name, c := range map[string]struct {
		sent []string
		want string
	}{
		"none":                  {nil, ""},
		"one":                   {[]string{" bob "}, "bob"},
		"empty":                 {[]string{""}, ""},
		"reserved":              {[]string{"ADMIN"}, ""},
		"the same twice":        {[]string{"bob", "bob"}, "bob"},
		"the same in one line":  {[]string{"bob,bob"}, "bob"},
		"two but for a space":   {[]string{"bob,", "bob "}, ""},
		"two":                   {[]string{"bob", "eve"}, ""},
		"two in one line":       {[]string{"bob,eve"}, ""},
		"one and an empty one":  {[]string{"bob", ""}, ""},
		"an empty one and one":  {[]string{"", "bob"}, ""},
		"a comma after the end": {[]string{"bob,"}, ""},
	} {
		if got := credential.ProxyUser(http.Header{"X-Forwarded-User": c.sent}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
