package cluster

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestKnownSchemas_HaveEveryKind(t *testing.T) {
	schemas, crds, err := knownSchemas()
	if err != nil {
		t.Fatal(err)
	}
	for kind, crd := range map[string]string{
		"AdminUser": "adminusers.keywright.dev", "APIKey": "apikeys.keywright.dev",
		"AccessRole": "accessroles.keywright.dev", "AccessRoleBinding": "accessrolebindings.keywright.dev",
	} {
		if node(schemas[kind]["properties"])["spec"] == nil || crds[kind] != crd {
			t.Errorf("%s: %v of CRD %q", kind, schemas[kind], crds[kind])
		}
		if changes := changesOf(schemas[kind], schemas[kind]); !changes.none() {
			t.Errorf("%s differs from itself: %+v", kind, changes)
		}
	}
	if len(schemas) != 4 {
		t.Errorf("%d kinds", len(schemas))
	}
}

func TestChangesOf(t *testing.T) {
	const known = `{"properties": {"apiVersion": {}, "metadata": {"type": "object"}, "spec": {"properties": {
		"name": {"type": "string", "maxLength": 10, "description": "x"},
		"rotation": {"properties": {"every": {"type": "string"}, "after": {"type": "string"}}},
		"rules": {"items": {"properties": {"effect": {"enum": ["ALLOW"]}}}},
		"labels": {"additionalProperties": {"type": "string"}},
		"free": {"additionalProperties": true}}}}}`
	for name, c := range map[string]struct {
		replace, with string
		want          fieldChanges
	}{
		"the same":                  {"", "", fieldChanges{}},
		"another description":       {`"x"`, `"y"`, fieldChanges{}},
		"other metadata":            {`"metadata": {"type": "object"}`, `"metadata": {"allOf": []}`, fieldChanges{}},
		"a missing field":           {`"every": {"type": "string"}, `, ``, fieldChanges{missing: []string{"spec.rotation.every"}}},
		"a missing field of a list": {`"effect": {"enum": ["ALLOW"]}`, ``, fieldChanges{missing: []string{"spec.rules[].effect"}}},
		"nothing but the kind":      {known, `{}`, fieldChanges{missing: []string{"spec"}}},
		"an unknown field": {`"free":`, `"new": {"properties": {"a": {}}}, "free":`,
			fieldChanges{unknown: []string{"spec.new"}}},
		"another bound":  {`10`, `11`, fieldChanges{ruled: []string{"spec.name"}}},
		"one bound less": {`"maxLength": 10, `, ``, fieldChanges{ruled: []string{"spec.name"}}},
		"another value":  {`["ALLOW"]`, `["ALLOW", "DENY"]`, fieldChanges{ruled: []string{"spec.rules[].effect"}}},
		"another expression": {`"free": {`, `"free": {"x-kubernetes-validations": [{"rule": "false"}], `,
			fieldChanges{ruled: []string{"spec.free"}}},
		"other labels": {`"labels": {"additionalProperties": {"type": "string"`,
			`"labels": {"additionalProperties": {"type": "integer"`, fieldChanges{ruled: []string{"spec.labels.*"}}},
		"a renamed field": {`"after"`, `"later"`,
			fieldChanges{missing: []string{"spec.rotation.after"}, unknown: []string{"spec.rotation.later"}}},
	} {
		other := known
		if c.replace != "" {
			other = strings.Replace(known, c.replace, c.with, 1)
		}
		if other == known && c.replace != "" {
			t.Fatalf("%s: changes nothing", name)
		}
		got := changesOf(schemaFrom(t, known), schemaFrom(t, other))
		if !slices.Equal(got.missing, c.want.missing) || !slices.Equal(got.unknown, c.want.unknown) ||
			!slices.Equal(got.ruled, c.want.ruled) {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}

func schemaFrom(t *testing.T, text string) (schema schemaNode) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		t.Fatal(text, err)
	}
	return schema
}

func TestPublishedSchemas_OfStrangeDocuments(t *testing.T) {
	for text, want := range map[string]int{
		`{}`: 0, `{"components":{"schemas":{"a":{}}}}`: 0, `{"components":{"schemas":{"a":null}}}`: 0,
		`{"components":{"schemas":{"a":{"x-kubernetes-group-version-kind":[{"group":"other","kind":"APIKey"}]}}}}`:           0,
		`{"components":{"schemas":{"a":{"x-kubernetes-group-version-kind":[1,{"group":"keywright.dev","kind":"APIKey"}]}}}}`: 1,
		`not JSON`: -1, `[]`: -1,
	} {
		got, err := publishedSchemas([]byte(text))
		if (err != nil) != (want < 0) || err == nil && len(got) != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
}

func TestNamed_BoundsTheFields(t *testing.T) {
	fields := strings.Split("a b c d e f g h i j", " ")
	if got := named(fields); got != "a, b, c, d, e, f, g, h and 2 more" {
		t.Error(got)
	}
	if got := named(fields[:8]); got != "a, b, c, d, e, f, g, h" {
		t.Error(got)
	}
}

func TestCRDRemedy_DependsOnTheVersions(t *testing.T) {
	for _, c := range []struct{ program, operator, want string }{
		{"v1.2.3", "v1.2.3", "-k config/crd, of v1.2.3: docs/upgrade.md, The CRDs"},
		{"v1.2.3-4-gabc", "v1.2.3-4-gabc", "-k config/crd, of v1.2.3-4-gabc: docs/upgrade.md, The CRDs"},
		{"v1.3.0", "v1.2.3", "this program is v1.3.0, and the operator v1.2.3: install kubectl keywright v1.2.3"},
		{"v1.2.3", "v1.3.0", "this program is v1.2.3, and the operator v1.3.0: install kubectl keywright v1.3.0"},
		{"v1.2.3", "", "if the operator is of the version of this program (v1.2.3): kubectl apply"},
		{"dev", "latest", "if the operator is of the version of this program (dev): kubectl apply"},
	} {
		if got := crdRemedy(c.program, c.operator); !strings.Contains(got, c.want) {
			t.Errorf("%s with %s: %s", c.program, c.operator, got)
		}
	}
}
