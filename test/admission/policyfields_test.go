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
	for name, c := range map[string]struct {
		variables  []string // name=expression
		expression string
		want       string
	}{
		"a field that exists":        {nil, `object.spec.subject.kind == 'User'`, ""},
		"a field that does not":      {nil, `object.spec.subjekt.kind == 'User'`, "reads apikeys.spec.subjekt, which does not exist"},
		"in has":                     {nil, `has(oldObject.spec.nothing)`, "reads apikeys.spec.nothing, which does not exist"},
		"an optional field":          {nil, `object.?spec.?nothing.orValue('') == ''`, "reads apikeys.spec.nothing, which does not exist"},
		"an optional index":          {nil, `object.spec[?'nothing'].hasValue()`, "reads apikeys.spec.nothing, which does not exist"},
		"an index":                   {nil, `object.spec['nothing'] == 1`, "reads apikeys.spec.nothing, which does not exist"},
		"a field of a former shape":  {nil, `object.spec.?enabled.orValue(true)`, "reads apikeys.spec.enabled, which was removed"},
		"below a scalar":             {nil, `object.spec.ttl.seconds == 1`, "reads apikeys.spec.ttl.seconds, which does not exist"},
		"an annotation":              {nil, `object.metadata.?annotations[?'a/b'].orValue('') == 'c'`, ""},
		"metadata that does not":     {nil, `object.metadata.?lables.hasValue()`, "reads apikeys.metadata.lables, which does not exist"},
		"an item of a list":          {nil, `object.?status.?conditions.orValue([]).exists(c, c.kind == 'a')`, "reads apikeys.status.conditions[].kind, which does not exist"},
		"the first item":             {nil, `object.status.conditions[0].kind == 'a'`, "reads apikeys.status.conditions[].kind, which does not exist"},
		"through a variable":         {[]string{`before=oldObject == null ? {} : oldObject.spec`}, `variables.before.?nothing.hasValue()`, "reads apikeys.spec.nothing, which does not exist"},
		"a variable that is missing": {nil, `variables.before.?ttl.hasValue()`, "reads variable before, which is not declared before"},
		"a name in a list of keys":   {[]string{`free=['ttl', 'tll']`}, `object.spec.all(k, k in variables.free)`, "reads apikeys.spec.tll, which does not exist"},
		"a name of a key":            {nil, `object.spec.filter(k, k != 'tll').size() > 0`, "reads apikeys.spec.tll, which does not exist"},
		"a key of a label":           {nil, `object.metadata.labels.all(k, k != 'a/b')`, ""},
		"a name in an object":        {nil, `'tll' in object.spec`, "reads apikeys.spec.tll, which does not exist"},
		"a value that cannot be":     {nil, `object.spec.?state.orValue('Active') != 'Off'`, `compares apikeys.spec.state with "Off", which it can't be`},
		"a default that cannot be":   {nil, `object.spec.?state.orValue('On') != 'Disabled'`, `compares apikeys.spec.state with "On", which it can't be`},
		"a value in a list":          {nil, `object.spec.state in ['Active', 'Off']`, `compares apikeys.spec.state with "Off", which it can't be`},
		"through map and filter":     {nil, `object.spec.policy.permissions.filter(p, true).map(p, p.effekt).size() > 0`, "reads apikeys.spec.policy.permissions[].effekt, which does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			policy := &admissionv1.ValidatingAdmissionPolicy{}
			policy.Name = "p"
			policy.Spec.MatchConstraints = matchAPIKeys()
			for _, v := range c.variables {
				name, expression, _ := strings.Cut(v, "=")
				policy.Spec.Variables = append(policy.Spec.Variables, admissionv1.Variable{Name: name, Expression: expression})
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
