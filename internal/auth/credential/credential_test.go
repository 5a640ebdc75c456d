package credential_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/auth/credential"
)

const key = "correct-horse-battery-staple"

func basic(userPass string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(userPass))
}

func TestFromHeader(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   string
		err    error
	}{
		"nothing":                 {http.Header{}, "", credential.ErrNone},
		"bearer":                  {http.Header{"Authorization": {"Bearer " + key}}, key, nil},
		"scheme in any case":      {http.Header{"Authorization": {"bEARER  " + key + " "}}, key, nil},
		"basic, any user":         {http.Header{"Authorization": {basic("bot:" + key)}}, key, nil},
		"basic, no user":          {http.Header{"Authorization": {basic(":" + key)}}, key, nil},
		"basic, colon in the key": {http.Header{"Authorization": {basic("bot:a:" + key)}}, "a:" + key, nil},
		"basic, key as user":      {http.Header{"Authorization": {basic(key + ":")}}, key, nil},
		"basic, as at GitHub":     {http.Header{"Authorization": {basic(key + ":x-oauth-basic")}}, key, nil},
		"basic, keys as both":     {http.Header{"Authorization": {basic("another-key-of-mine:" + key)}}, key, nil},
		"basic, another password": {http.Header{"Authorization": {basic(key + ":X-OAuth-Basic")}}, "X-OAuth-Basic", nil},
		"basic, key as user and in a header": {
			http.Header{"Authorization": {basic(key + ":")}, "X-Api-Key": {key}}, key, nil,
		},
		"api key": {http.Header{"X-Api-Key": {" " + key + " "}}, key, nil},
		"the same key three times": {
			http.Header{"Authorization": {"Bearer " + key, basic("x:" + key)}, "X-Api-Key": {key}}, key, nil,
		},
		"two keys": {
			http.Header{"Authorization": {"Bearer " + key}, "X-Api-Key": {"another-key-of-mine"}}, "",
			credential.ErrAmbiguous,
		},
		"twenty keys": {
			http.Header{"X-Api-Key": strings.Split(strings.Repeat("a-key b-key ", 10)+"c", " ")}, "",
			credential.ErrAmbiguous,
		},
		"one good, one malformed": {
			http.Header{"Authorization": {"Bearer " + key, "nonsense"}}, "", credential.ErrMalformed,
		},
		"empty authorization":      {http.Header{"Authorization": {""}}, "", credential.ErrMalformed},
		"scheme alone":             {http.Header{"Authorization": {"Bearer"}}, "", credential.ErrMalformed},
		"unknown scheme":           {http.Header{"Authorization": {"Digest x"}}, "", credential.ErrMalformed},
		"not base64":               {http.Header{"Authorization": {"Basic !!!"}}, "", credential.ErrMalformed},
		"basic without a password": {http.Header{"Authorization": {basic("bot")}}, "", credential.ErrMalformed},
		"basic, nothing":           {http.Header{"Authorization": {basic(":")}}, "", credential.ErrMalformed},
		"basic, no key":            {http.Header{"Authorization": {basic(":x-oauth-basic")}}, "", credential.ErrMalformed},
		"empty api key":            {http.Header{"X-Api-Key": {" "}}, "", credential.ErrMalformed},
		"64 KB": {
			http.Header{"Authorization": {"Bearer " + strings.Repeat("x", 64<<10)}}, "", credential.ErrMalformed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := credential.FromHeader(c.header, credential.Compatible)
			if byZero, errByZero := credential.FromHeader(c.header, 0); byZero != got || !errors.Is(errByZero, err) {
				t.Errorf("got %q, %v by the zero Forms", byZero, errByZero)
			}
			if got != c.want || !errors.Is(err, c.err) {
				t.Fatalf("got %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

// presented has a header for each form, by name.
var presented = map[string]http.Header{
	"Authorization: Bearer": {"Authorization": {"Bearer " + key}},
	"Authorization: Basic":  {"Authorization": {basic("bot:" + key)}},
	"Authorization: Token":  {"Authorization": {"token " + key}},
	"X-API-Key":             {"X-Api-Key": {key}},
	"x-goog-api-key":        {"X-Goog-Api-Key": {key}},
	"api-key":               {"Api-Key": {key}},
}

// Each set of forms accepts the keys in these forms. It does not read other headers, and if it has a scheme it refuses
// the others.
func TestFromHeader_AcceptsItsFormsOnly(t *testing.T) {
	names := credential.FormNames()
	if len(names) != len(presented) {
		t.Fatalf("forms %q", names)
	}
	for set := 1; set < 1<<len(names); set++ {
		var listed []string
		for i, name := range names {
			if set&(1<<i) != 0 {
				listed = append(listed, name)
			}
		}
		forms, ok := credential.ParseForms(listed)
		if got := forms.Names(); !ok || !slices.Equal(got, listed) {
			t.Fatalf("%q gives %q, %t", listed, got, ok)
		}
		for name, header := range presented {
			want, wantErr := "", credential.ErrNone
			switch {
			case slices.Contains(listed, name):
				want, wantErr = key, nil
			case header["Authorization"] != nil && forms.Schemes() != 0:
				wantErr = credential.ErrMalformed
			}
			if got, err := credential.FromHeader(header, forms); got != want || !errors.Is(err, wantErr) {
				t.Errorf("%q of %q: %q, %v", name, listed, got, err)
			}
		}
	}
}

// A header that is not read may have anything in it.
func TestFromHeader_LeavesOtherHeadersAlone(t *testing.T) {
	header := http.Header{"Api-Key": {key}, "X-Goog-Api-Key": {strings.Repeat("x", 64<<10), ""}, "X-Api-Key": {""}}
	for _, authorization := range []string{
		"Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "AWS4-HMAC-SHA256 Credential=a/b/c", "Negotiate YII=", "", "Basic !",
	} {
		header["Authorization"] = []string{authorization, "Bearer another"}
		if got, err := credential.FromHeader(header, credential.APIKey); got != key || err != nil {
			t.Errorf("%s: %q, %v", authorization, got, err)
		}
	}
}

func TestParseForm(t *testing.T) {
	for text, want := range map[string]credential.Forms{
		"Authorization: Bearer": credential.Bearer, "AUTHORIZATION:bearer": credential.Bearer,
		" authorization :  BASIC ": credential.Basic, "Authorization: token": credential.Token,
		"x-api-key": credential.XAPIKey, "X-Goog-API-Key": credential.GoogAPIKey, "API-KEY": credential.APIKey,
		"x-api-key:": credential.XAPIKey,
	} {
		if got, ok := credential.ParseForm(text); got != want || !ok {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{
		"", ":", "Authorization", "Authorization:", "Authorization: Digest", "Authorization: Bearer: x", "Bearer",
		"Authorization Bearer", "X_Api_Key", "X-API-Key: x", "Cookie", "*", "\xff",
	} {
		if got, ok := credential.ParseForm(text); ok {
			t.Errorf("%q is %v", text, got.Names())
		}
		if got, ok := credential.ParseForms([]string{"api-key", text}); ok {
			t.Errorf("a list with %q is %v", text, got.Names())
		}
	}
}

func FuzzFromHeader(f *testing.F) {
	f.Add("Bearer "+key, "", "", uint8(0))
	f.Add(basic("a:"+key), key, "", uint8(credential.Compatible))
	f.Add(basic(key+":"), "", "", uint8(credential.Basic))
	f.Add(basic(key+":x-oauth-basic"), "", key, uint8(255))
	f.Add("Token "+key, "", key, uint8(credential.Token|credential.GoogAPIKey))
	f.Add("Basic \xff", "\x00", " ", uint8(credential.APIKey))
	f.Fuzz(func(t *testing.T, authorization, apiKey, other string, forms uint8) {
		header := http.Header{
			"Authorization": {authorization}, "X-Api-Key": {apiKey}, "X-Goog-Api-Key": {other}, "Api-Key": {other, apiKey},
		}
		accepted := credential.Forms(forms)
		got, err := credential.FromHeader(header, accepted)
		if (err == nil) != (got != "") {
			t.Fatalf("got a key: %t, and error %v", got != "", err)
		}
		for name, of := range credential.Headers() {
			if !accepted.Have(of) {
				delete(header, name)
			}
		}
		again, errAgain := credential.FromHeader(header, accepted)
		if again != got || !errors.Is(errAgain, err) {
			t.Fatalf("%v with headers that are not read, %v without", err, errAgain)
		}
	})
}
