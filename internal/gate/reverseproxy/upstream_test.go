package reverseproxy_test

import (
	"strings"
	"testing"

	"keywright.dev/keywright/internal/gate/reverseproxy"
)

func TestParseUpstream(t *testing.T) {
	for _, good := range []string{
		"http://app", "https://app", "HTTP://app:80", "http://127.0.0.1:8080/", "http://[::1]:80/a", "http://app/a/b/",
		"http://app/a%2fb", "https://app.example.:443", "http://app/a b", "h2c://app", "H2C://app:50051/a",
	} {
		if _, err := reverseproxy.ParseUpstream(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                           "begin with http",
		"app":                        "begin with http",
		"app:8080":                   "begin with http",
		"127.0.0.1:8080":             "not a URL",
		"//app":                      "begin with http",
		"/app":                       "begin with http",
		"ftp://app":                  "begin with http",
		"unix:///run/app":            "begin with http",
		"http:app":                   "no host",
		"http://":                    "no host",
		"http://:80":                 "no host",
		"http:///a":                  "no host",
		"http://app:eighty":          "not a URL",
		"http://app:65536":           "port",
		"http://app:0":               "port",
		"http://app:":                "port",
		"http://user@app":            "user",
		"http://user:s3cret@app":     "user",
		"http://user:s3cret@app/%zz": "not a URL",
		"http://app?":                "query",
		"http://app/?a=b":            "query",
		"http://app#":                "fragment",
		"http://app/a#b":             "fragment",
		"http://app//":               "segments",
		"http://app//a":              "segments",
		"http://app/a/../b":          "segments",
		"http://app/./a":             "segments",
		"http://app\n":               "not a URL",
		"http://app/" + "\x00":       "not a URL",
	} {
		_, err := reverseproxy.ParseUpstream(bad)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: got %v, want %s", bad, err, want)
		}
	}
}
