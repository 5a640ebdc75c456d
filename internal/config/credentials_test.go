package config_test

import (
	"reflect"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/config"
)

func TestCredentials(t *testing.T) {
	const known = " is not one of Authorization: Bearer, Authorization: Basic, X-API-Key, Authorization: Token, " +
		"x-goog-api-key, api-key"
	for value, want := range map[string]string{
		"":     "",
		" , ,": "",
		"x-api-key, AUTHORIZATION: BASIC,authorization:bearer":   "",
		"Authorization: Bearer, Authorization: Basic, X-API-Key": "",
		"X-API-Key":                               "X-API-Key",
		" 'api-key' ,, x-API-key\n,":              "X-API-Key|api-key",
		`"Authorization: Token, api-key"`:         "Authorization: Token|api-key",
		"api-key, api-key, API-KEY":               "api-key",
		"X-Goog-API-Key,  authorization :  token": "Authorization: Token|x-goog-api-key",

		"X-Token":                               "entry 1 (X-Token)" + known,
		"api-key, Cookie":                       "entry 2 (Cookie)" + known,
		"Authorization":                         "entry 1 (Authorization)" + known,
		"X-API-Key, Authorization: Digest":      "entry 2 (Authorization: Digest)" + known,
		"Bearer":                                "entry 1 (Bearer)" + known,
		"X-API-Key; api-key":                    "entry 1 (X-AP…)" + known,
		"X-API-Key\napi-key":                    "entry 1 has a line end: entries are separated by commas",
		"- X-API-Key":                           "entry 1 (- X-API-Key)" + known,
		`["X-API-Key"]`:                         `entry 1 (["X-API-Key"])` + known,
		secret:                                  "entry 1 (" + secret[:4] + "…)" + known,
		"Authorization: " + secret:              "entry 1 (Authorization: " + secret[:4] + "…)" + known,
		"X-API-Key, " + generatedKey:            "entry 2 is an API key, which does not belong here: rotate it",
		"X-API-Key: " + generatedKey:            "entry 1 (X-AP…)" + known,
		"Authorization: Bearer " + generatedKey: "entry 1 (Authorization: Bear…)" + known,
	} {
		if strings.HasPrefix(want, "entry ") {
			if got := problemOf(t, "CREDENTIALS", value); got != want {
				t.Errorf("%q: %s, want %s", value, got, want)
			}
			continue
		}
		var wanted config.Runtime
		if want != "" {
			wanted.Credentials = strings.Split(want, "|")
		}
		if got := runtimeOf(t, "CREDENTIALS", value); !reflect.DeepEqual(got, wanted) {
			t.Errorf("%q: %q, want %s", value, got.Credentials, want)
		}
	}
}
