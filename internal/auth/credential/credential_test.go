package credential_test

import (
	"encoding/base64"
	"errors"
	"net/http"
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
		"api key":                 {http.Header{"X-Api-Key": {" " + key + " "}}, key, nil},
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
		"basic, empty password":    {http.Header{"Authorization": {basic("bot:")}}, "", credential.ErrMalformed},
		"empty api key":            {http.Header{"X-Api-Key": {" "}}, "", credential.ErrMalformed},
		"64 KB": {
			http.Header{"Authorization": {"Bearer " + strings.Repeat("x", 64<<10)}}, "", credential.ErrMalformed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := credential.FromHeader(c.header)
			if got != c.want || !errors.Is(err, c.err) {
				t.Fatalf("got %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

func FuzzFromHeader(f *testing.F) {
	f.Add("Bearer "+key, "")
	f.Add(basic("a:"+key), key)
	f.Add("Basic \xff", "\x00")
	f.Fuzz(func(t *testing.T, authorization, apiKey string) {
		got, err := credential.FromHeader(http.Header{"Authorization": {authorization}, "X-Api-Key": {apiKey}})
		if (err == nil) != (got != "") {
			t.Fatalf("got a key: %t, and error %v", got != "", err)
		}
	})
}
