package jsonbody_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keywright.dev/keywright/internal/httpapi/jsonbody"
)

type wanted struct {
	Name   string   `json:"name"`
	Count  *int     `json:"count"`
	Scopes []string `json:"scopes"`
	Inner  struct {
		Effect string `json:"effect"`
	} `json:"inner"`
}

func read(body, contentType string, options ...jsonbody.Option) (wanted, *jsonbody.Error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	var v wanted
	err := jsonbody.Read(httptest.NewRecorder(), r, &v, options...)
	return v, err
}

func TestRead_Accepts(t *testing.T) {
	for _, contentType := range []string{
		"", "application/json", "application/json; charset=UTF-8", "application/merge-patch+json",
	} {
		v, err := read(
			" {\"name\": \"M\\u00fcller \\ud83d\\ude00\", \"count\": 3, \"scopes\": [\"a\"], \"inner\": "+
				"{\"effect\": \"ALLOW\"}}\r\n",
			contentType,
		)
		if err != nil || v.Name != "Müller 😀" || *v.Count != 3 || v.Scopes[0] != "a" || v.Inner.Effect != "ALLOW" {
			t.Errorf("%s: %+v %v", contentType, v, err)
		}
	}
	if v, err := read(`{}`, ""); err != nil || v.Count != nil {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := read(" \n", "", jsonbody.Optional); err != nil {
		t.Error(err)
	}
}

func TestRead_Refuses(t *testing.T) {
	for name, c := range map[string]struct {
		body, contentType string
		kind              jsonbody.Kind
		text              string
	}{
		"nothing":       {"", "", jsonbody.NotJSON, "the body is not JSON"},
		"truncated":     {`{"name":"x`, "", jsonbody.NotJSON, "the body is not JSON"},
		"two documents": {`{"name":"x"}{}`, "", jsonbody.NotJSON, "the body is not JSON"},
		"more after it": {`{"name":"x"} x`, "", jsonbody.NotJSON, "the body is not JSON"},
		"Python":        {`{'name':'x'}`, "", jsonbody.NotJSON, "the body is not JSON"},
		"a form": {
			"name=x", "application/x-www-form-urlencoded", jsonbody.NotJSON,
			"the Content-Type must be application/json",
		},
		"plain text":          {`{"name":"x"}`, "text/plain", jsonbody.OtherType, "the Content-Type must be application/json"},
		"another charset":     {`{"name":"x"}`, "application/json; charset=utf-16", jsonbody.OtherType, "the Content-Type must be application/json"},
		"UTF-16":              {"\xff\xfe{\x00}\x00", "", jsonbody.NotJSON, "the body is not UTF-8"},
		"Latin-1":             {"{\"name\":\"caf\xe9\"}", "", jsonbody.NotJSON, "the body is not UTF-8"},
		"a BOM":               {"\ufeff{}", "", jsonbody.NotJSON, "the body is not JSON"},
		"half a character":    {`{"name":"\ud83d"}`, "", jsonbody.NotJSON, `the body has half a character: a \u escape without its other half`},
		"the wrong half":      {`{"name":"\ude00\ud83d"}`, "", jsonbody.NotJSON, `the body has half a character: a \u escape without its other half`},
		"in a name":           {`{"\uD800":"x"}`, "", jsonbody.NotJSON, `the body has half a character: a \u escape without its other half`},
		"an array":            {`[]`, "", jsonbody.NotObject, "the body must be a JSON object"},
		"a string":            {`"x"`, "", jsonbody.NotObject, "the body must be a JSON object"},
		"a number":            {`1`, "", jsonbody.NotObject, "the body must be a JSON object"},
		"null":                {` null `, "", jsonbody.NotObject, "the body must be a JSON object"},
		"an unknown field":    {`{"nam":"x"}`, "", jsonbody.BadField, "nam: is not known"},
		"an unknown one deep": {`{"inner":{"efect":"x"}}`, "", jsonbody.BadField, "inner.efect: is not known"},
		"another case":        {`{"Name":"x"}`, "", jsonbody.BadField, "Name: is not known"},
		"twice":               {`{"name":"x","name":"y"}`, "", jsonbody.BadField, "name: is given twice"},
		"twice, once escaped": {`{"name":"x","n\u0061me":"y"}`, "", jsonbody.BadField, "name: is given twice"},
		"a number for text":   {`{"name":17}`, "", jsonbody.BadField, "name: must not be a number"},
		"an object for text":  {`{"name":{}}`, "", jsonbody.BadField, "name: must not be an object"},
		"text for a number":   {`{"count":"3"}`, "", jsonbody.BadField, "count: must not be a string"},
		"a fraction":          {`{"count":1.5}`, "", jsonbody.BadField, "count: must be a whole number"},
		"a great number": {
			`{"count":1e30}`, "", jsonbody.BadField,
			"count: must be from -9223372036854775808 to 9223372036854775807",
		},
		"a list's entry": {`{"scopes":[true]}`, "", jsonbody.BadField, "scopes: must not be true or false"},
		"too long":       {`{"name":"` + strings.Repeat("x", 1<<20) + `"}`, "", jsonbody.TooLong, "the body is longer than 256 KiB"},
		"deep":           {strings.Repeat(`[`, 100_000), "", jsonbody.NotJSON, "the body is not JSON"},
		"a long name":    {`{"` + strings.Repeat("x", 1000) + `":1}`, "", jsonbody.BadField, "a field with a long name: is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(c.body, c.contentType); err == nil || err.Kind != c.kind || err.Error() != c.text {
				t.Errorf("got %+v, want %d %q", err, c.kind, c.text)
			}
		})
	}
}

func TestRead_RefusesCompressedBody(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.Header.Set("Content-Encoding", "gzip")
	if err := jsonbody.Read(httptest.NewRecorder(), r, &wanted{}); err == nil || err.Kind != jsonbody.NotJSON {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"name":"x"}`, `{"name":"\ud83d\ude00"}`, `{"inner":{"effect":1}}`, "\\u", `[{"a":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var v wanted
		if err := jsonbody.Parse(document, &v); err == nil && strings.ContainsRune(v.Name, '\uFFFD') &&
			!strings.Contains(string(document), "\uFFFD") &&
			!strings.Contains(strings.ToLower(string(document)), "\\ufffd") {
			t.Fatalf("%q was read as %q", document, v.Name)
		}
	})
}
