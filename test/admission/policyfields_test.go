package admission

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"keywright.dev/keywright/test/stack"
)

// A policy reads an object without its schema: an optional field that does not exist is absent, and a policy that reads
// a renamed field protects nothing. So every field that a policy reads must be in the CRDs, and so must the values that
// it compares with.
func TestPolicies_ReadFieldsOfTheCRDs(t *testing.T) {
	for _, policy := range readPolicies(t) {
		roots := rootsOf(t, &policy)
		complaints, reads, err := walk(&policy, roots)
		if err != nil {
			t.Fatal(err)
		}
		for _, complaint := range complaints {
			t.Error(complaint)
		}
		if len(roots) > 0 && len(reads) == 0 && strings.Contains(policy.String(), "bject.spec") {
			t.Errorf("%s: found none of the fields that it reads", policy.Name)
		}
	}
}

// readPolicies returns all ValidatingAdmissionPolicies in config.
func readPolicies(t *testing.T) (all []admissionv1.ValidatingAdmissionPolicy) {
	t.Helper()
	root, err := stack.Root()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(root, "config"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := policiesIn(text)
		all = append(all, found...)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d policies, %v", len(all), err)
	}
	return all
}

func policiesIn(text []byte) (all []admissionv1.ValidatingAdmissionPolicy, err error) {
	if !bytes.Contains(text, []byte("kind: ValidatingAdmissionPolicy\n")) {
		return nil, nil
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text))
	for {
		var document json.RawMessage
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		policy := admissionv1.ValidatingAdmissionPolicy{}
		if err := sigsyaml.Unmarshal(document, &policy); err != nil {
			return nil, err
		}
		if policy.Kind == "ValidatingAdmissionPolicy" {
			all = append(all, policy)
		}
	}
}

// rootsOf returns the schemas of the kinds of Keywright that a policy matches, in every version.
func rootsOf(t *testing.T, policy *admissionv1.ValidatingAdmissionPolicy) (roots []place) {
	t.Helper()
	if policy.Spec.MatchConstraints == nil {
		return nil
	}
	var resources []string
	for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
		if slices.Equal(rule.APIGroups, group) {
			resources = append(resources, rule.Resources...)
		}
	}
	for i, resource := range resources {
		resources[i], _, _ = strings.Cut(resource, "/")
	}
	slices.Sort(resources)
	for _, resource := range slices.Compact(resources) {
		crd, err := readCRD(resource)
		if err != nil {
			t.Fatalf("%s matches %s: %v", policy.Name, resource, err)
		}
		for _, version := range crd.Spec.Versions {
			root := version.Schema.OpenAPIV3Schema.DeepCopy()
			root.Properties["metadata"] = objectMeta()
			roots = append(roots, place{resource, root})
		}
	}
	return roots
}

func TestWalk(t *testing.T) {
	const missing = ", which does not exist"
	for name, c := range map[string]struct {
		variable, expression, want string
	}{
		"a field that exists":     {"", `object.spec.subject.kind == 'User'`, ""},
		"a field that does not":   {"", `object.spec.subjekt.kind == 'User'`, "reads apikeys.spec.subjekt" + missing},
		"in has":                  {"", `has(oldObject.spec.none)`, "reads apikeys.spec.none" + missing},
		"an optional field":       {"", `object.?spec.?none.orValue('') == ''`, "reads apikeys.spec.none" + missing},
		"an optional index":       {"", `object.spec[?'none'].hasValue()`, "reads apikeys.spec.none" + missing},
		"an index":                {"", `object.spec['none'] == 1`, "reads apikeys.spec.none" + missing},
		"a field of a past shape": {"", `object.spec.?enabled.orValue(true)`, "reads apikeys.spec.enabled, which was removed"},
		"below a scalar":          {"", `object.spec.ttl.hours == 1`, "reads apikeys.spec.ttl.hours" + missing},
		"an annotation":           {"", `object.metadata.?annotations[?'a/b'].orValue('') == 'c'`, ""},
		"metadata":                {"", `object.metadata.?lables.hasValue()`, "reads apikeys.metadata.lables" + missing},
		"an item of a list": {"", `object.?status.?conditions.orValue([]).exists(c, c.kind == 'a')`,
			"reads apikeys.status.conditions[].kind" + missing},
		"the first item": {"", `object.status.conditions[0].kind == 'a'`,
			"reads apikeys.status.conditions[].kind" + missing},
		"through a variable": {`oldObject == null ? {} : oldObject.spec`, `variables.v.?none.hasValue()`,
			"reads apikeys.spec.none" + missing},
		"a missing variable": {"", `variables.v.?ttl.hasValue()`, "reads variable v, which is not declared before"},
		"a name in a list of keys": {`['ttl', 'tll']`, `object.spec.all(k, k in variables.v)`,
			"reads apikeys.spec.tll" + missing},
		"a name of a key":     {"", `object.spec.filter(k, k != 'tll').size() > 0`, "reads apikeys.spec.tll" + missing},
		"a key of labels":     {"", `object.metadata.labels.all(k, k != 'a/b')`, ""},
		"a name in an object": {"", `'tll' in object.spec`, "reads apikeys.spec.tll" + missing},
		"a value": {"", `object.spec.?state.orValue('Active') != 'Off'`,
			`compares apikeys.spec.state with "Off", which it can't be`},
		"a default": {"", `object.spec.?state.orValue('On') != 'Disabled'`,
			`compares apikeys.spec.state with "On", which it can't be`},
		"a value in a list": {"", `object.spec.state in ['Active', 'Off']`,
			`compares apikeys.spec.state with "Off", which it can't be`},
		"through map and filter": {"", `object.spec.policy.permissions.filter(p, true).map(p, p.effekt).size() > 0`,
			"reads apikeys.spec.policy.permissions[].effekt" + missing},
	} {
		t.Run(name, func(t *testing.T) {
			policy := &admissionv1.ValidatingAdmissionPolicy{}
			policy.Name = "p"
			policy.Spec.MatchConstraints = matchAPIKeys()
			if c.variable != "" {
				policy.Spec.Variables = []admissionv1.Variable{{Name: "v", Expression: c.variable}}
			}
			policy.Spec.Validations = []admissionv1.Validation{{Expression: c.expression}}
			complaints, _, err := walk(policy, rootsOf(t, policy))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimPrefix(strings.Join(complaints, "\n"), "p "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func matchAPIKeys() *admissionv1.MatchResources {
	rule := admissionv1.NamedRuleWithOperations{}
	rule.APIGroups, rule.Resources = group, []string{"apikeys"}
	return &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{rule}}
}
