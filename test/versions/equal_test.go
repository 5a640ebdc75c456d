package versions

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
)

// Conversion None changes apiVersion and nothing else: a field that only one version has would be dropped, and
// defaults would depend on the version of the request.
func TestVersions_AreEqual(t *testing.T) {
	for _, c := range read(t) {
		if err := c.checkEqual(); err != nil {
			t.Error(err)
		}
	}
}

func TestVersions_CopyIsEqual(t *testing.T) {
	for _, c := range read(t) {
		c.addBeta()
		if err := c.checkEqual(); err != nil || len(c.versions()) != 2 {
			t.Error(c.kind(), len(c.versions()), err)
		}
	}
}

func TestVersions_DifferencesAreFound(t *testing.T) {
	changes := map[string]func(c crd, spec map[string]any){
		"a default":       func(_ crd, spec map[string]any) { properties(spec, "delivery")["default"] = "Response" },
		"a bound":         func(_ crd, spec map[string]any) { properties(spec, "category")["maxLength"] = int64(64) },
		"a missing field": func(_ crd, spec map[string]any) { delete(spec["properties"].(map[string]any), "category") },
		"a column":        func(c crd, _ map[string]any) { delete(c.version(beta), "additionalPrinterColumns") },
		"a selectable field": func(c crd, _ map[string]any) {
			delete(c.version(beta), "selectableFields")
		},
		"a conversion": func(c crd, _ map[string]any) {
			c.spec()["conversion"] = map[string]any{"strategy": "Webhook"}
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			for _, c := range read(t) {
				if c.kind() != "APIKey" {
					continue
				}
				c.addBeta()
				change(c, properties(schemaOf(c.version(beta)), "spec"))
				if c.checkEqual() == nil {
					t.Error("not found")
				}
			}
		})
	}
}

// A policy that names a version would not see writes at another one.
func TestPolicies_MatchEveryVersion(t *testing.T) {
	files, err := filepath.Glob("../../config/admission/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no policies", err)
	}
	matched := 0
	for _, file := range files {
		for _, rule := range resourceRules(t, file) {
			if rule.APIGroups[0] != v1alpha1.SchemeGroupVersion.Group {
				continue
			}
			matched++
			if len(rule.APIVersions) != 1 || rule.APIVersions[0] != "*" {
				t.Errorf("%s: %v", file, rule.APIVersions)
			}
		}
	}
	if matched == 0 {
		t.Error("no policy matches a kind of Keywright")
	}
}

func resourceRules(t *testing.T, file string) []admissionv1.NamedRuleWithOperations {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rules []admissionv1.NamedRuleWithOperations
	for _, document := range documents(content) {
		var policy admissionv1.ValidatingAdmissionPolicy
		if err := yaml.Unmarshal(document, &policy); err != nil {
			t.Fatal(file, err)
		}
		if policy.Kind == "ValidatingAdmissionPolicy" {
			rules = append(rules, policy.Spec.MatchConstraints.ResourceRules...)
		}
	}
	return rules
}

func read(t *testing.T) []crd {
	t.Helper()
	crds, err := generatedCRDs()
	if err != nil {
		t.Fatal(err)
	}
	return crds
}

// properties returns the schema of a property.
func properties(of map[string]any, name string) map[string]any {
	return of["properties"].(map[string]any)[name].(map[string]any)
}

// documents returns the YAML documents of a file.
func documents(content []byte) [][]byte { return bytes.Split(content, []byte("\n---\n")) }
