package openapi

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestDocument_ReferencesResolve(t *testing.T) {
	r, err := read(document)
	if err != nil {
		t.Fatal(err)
	}
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if ref := child(n, "$ref").Value; n.Kind == yaml.MappingNode && ref != "" {
			used[ref] = true
			if r.follow(n).Kind == 0 {
				t.Errorf("line %d: nothing is at %s", n.Line, ref)
			}
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(&root)
	for kind, all := range pairs(&r.Components) {
		for name := range pairs(all) {
			if kind != "securitySchemes" && !used["#/components/"+kind+"/"+name] {
				t.Errorf("nothing uses %s/%s", kind, name)
			}
		}
	}
}

func TestPage_HasEveryOperation(t *testing.T) {
	r, err := read(document)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := New()
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/docs", nil))
	text := recorder.Body.String()
	ids := map[string]bool{}
	for _, o := range r.operations {
		if strings.Count(text, `<details id="`+o.OperationID+`">`) != 1 || o.Summary == "" || len(o.Tags) != 1 || ids[o.OperationID] {
			t.Errorf("%s %s", o.Method, o.Path)
		}
		if !slices.ContainsFunc(r.Tags, func(tag tag) bool { return tag.Name == o.Tags[0] }) {
			t.Errorf("%s %s: its tag is not described", o.Method, o.Path)
		}
		ids[o.OperationID] = true
	}
	for _, part := range []string{"<no value>", "ZgotmplZ", "%!", "anything, …"} {
		if strings.Contains(text, part) {
			t.Errorf("the page has %s", part)
		}
	}
	if recorder.Header().Get("Content-Type") != "text/html; charset=utf-8" ||
		!strings.Contains(recorder.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Error(recorder.Header())
	}
}

func TestDocument_IsServed(t *testing.T) {
	handler, err := New()
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/openapi.yaml", nil))
	if recorder.Body.String() != string(Document()) || recorder.Header().Get("Content-Type") != "application/yaml" {
		t.Error(recorder.Header())
	}
}

func TestOutline_Types(t *testing.T) {
	r := &reader{}
	for schema, want := range map[string]string{
		"type: string":                          "string",
		"type: [string, 'null']":                "string | null",
		"enum: [a, b]":                          `"a" | "b"`,
		"const: true":                           "true",
		"{type: string, format: date-time}":     "date-time",
		"{type: array, items: {type: integer}}": "[integer, …]",
		"{required: [a], properties: {a: {type: string}, b: {type: integer}}}": "{\n  a: string,\n  b?: integer\n}",
	} {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(schema), &n); err != nil {
			t.Fatal(err)
		}
		if got := r.outline(n.Content[0], ""); got != want {
			t.Errorf("%s: got %s, want %s", schema, got, want)
		}
	}
}
