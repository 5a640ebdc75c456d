package keyformat_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/key/keyformat"
)

const (
	generated = "ak_0000000000000000000000000000000000000000" // the checksum is missing
	brought   = "Brought-Along/Key:0123456789"
)

func isBrought(text string) bool { return text == brought }

func TestHide(t *testing.T) {
	const hidden = keyformat.Redacted
	for text, want := range map[string]string{
		"":                              "",
		"no key":                        "no key",
		"a text without any key in it":  "a text without any key in it",
		generated:                       hidden,
		brought:                         hidden,
		"User/" + generated:             "User/" + hidden,
		"User/" + brought:               "User/" + hidden,
		"/api/" + generated + "/role":   "/api/" + hidden + "/role",
		"/api/" + brought + "/role?a=b": "/api/" + hidden + "/role?a=b",
		`user "` + brought + `" is "` + generated + `"`:   `user "` + hidden + `" is "` + hidden + `"`,
		"Bearer " + brought + ", Bearer " + generated:     "Bearer " + hidden + ", Bearer " + hidden,
		brought + ";" + brought:                           hidden + ";" + hidden,
		"a%2F" + generated + "%2Fb":                       "a%2F" + hidden + "%2Fb",
		"/users%2F" + url.PathEscape(brought) + "%2Frole": "/users%2F" + hidden + "%2Frole",
		"?q=" + url.QueryEscape(brought):                  "?q=" + hidden,
		"a " + strconv.Quote(brought) + "\nb":             `a "` + hidden + "\"\nb",
		"key: " + brought + ".":                           "key: " + hidden + ".",
		"kw9_" + strings.Repeat("aB3", 6) + ", and more":  hidden + ", and more",
		"schlüssel" + generated + "…":                     "schlü" + hidden + "…",
		"shown: ak_012345678":                             "shown: ak_012345678",
		"keywright_verifications_total":                   "keywright_verifications_total",
		"hmac-sha256:0123456789abcdef:0123456789abcdef":   "hmac-sha256:0123456789abcdef:0123456789abcdef",
		"Post \"https://10.0.0.1:443/apis/v1/namespaces\": dial tcp 10.0.0.1:443: connect: connection refused": "Post " +
			"\"https://10.0.0.1:443/apis/v1/namespaces\": dial tcp 10.0.0.1:443: connect: connection refused",
	} {
		if got := keyformat.Hide(text, isBrought); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Wherever a key is, and however the text around it looks, it does not stay.
func TestHide_LeavesNoKey(t *testing.T) {
	around := rapid.StringMatching(`([a-zA-Z0-9_-]{0,20}[ /"':=&?,;()%2F\\]{1,3}){0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(rapid.StringMatching(`[!-~]{16,60}`), rapid.Just(generated)).Draw(t, "key")
		form := rapid.SampledFrom([]func(string) string{
			func(s string) string { return s }, url.PathEscape, url.QueryEscape, strconv.Quote,
			func(s string) string { return fmt.Sprintf("%q", "a/"+s) },
		}).Draw(t, "form")
		written := form(key)
		text := around.Draw(t, "before") + " " + written + " " + around.Draw(t, "after")
		got := keyformat.Hide(text, func(s string) bool { return s == key })
		if strings.Contains(got, key) || strings.Contains(got, written) {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}

// A hostile text costs a bounded number of look-ups.
func TestHide_BoundsLookUps(t *testing.T) {
	for name, text := range map[string]string{
		"segments": strings.Repeat("a/", 100_000),
		"escapes":  strings.Repeat("%2F", 100_000),
		"words":    strings.Repeat("a-word-of-some-length ", 10_000),
		"quotes":   strings.Repeat(`\"`, 100_000),
	} {
		asked := 0
		got := keyformat.Hide(text+brought, func(s string) bool { asked++; return isBrought(s) })
		if asked > 5000 || strings.Contains(got, brought) {
			t.Errorf("%s: asked %d times; the text ends with %q", name, asked, got[max(0, len(got)-100):])
		}
	}
}
