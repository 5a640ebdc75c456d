package v1alpha1_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// celRule is a CEL rule of a CRD, identified by the field and the message of its refusal.
type celRule struct {
	kind, field, message string
}

// refusals are all refusals of this run.
var refusals struct {
	sync.Mutex
	met []celRule
}

var index = regexp.MustCompile(`\[\d+\]`)

// noted records a refusal and returns it.
func noted(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		return err
	}
	refusals.Lock()
	defer refusals.Unlock()
	for _, cause := range status.Status().Details.Causes {
		met := celRule{status.Status().Details.Kind, index.ReplaceAllString(cause.Field, "[]"), cause.Message}
		refusals.met = append(refusals.met, met)
	}
	return err
}

func (r celRule) met() bool {
	refusals.Lock()
	defer refusals.Unlock()
	for _, m := range refusals.met {
		if m.kind == r.kind && m.field == r.field && strings.HasSuffix(m.message, r.message) {
			return true
		}
	}
	return false
}

// Finds rules without a test.
var _ = ReportAfterSuite("Every rule of every kind has refused something", func(report Report) {
	filters := len(report.SuiteConfig.FocusStrings) + len(report.SuiteConfig.SkipStrings)
	if !report.SuiteSucceeded || report.SuiteHasProgrammaticFocus || filters > 0 {
		return
	}
	var unmet []celRule
	for _, d := range definitions() {
		rules := rulesOf(d.schema(), "")
		Expect(len(rules)).To(BeNumerically(">", 2), d.Spec.Names.Kind)
		for _, rule := range rules {
			rule.kind = d.Spec.Names.Kind
			if !rule.met() {
				unmet = append(unmet, rule)
			}
		}
	}
	Expect(unmet).To(BeEmpty(), "nothing was refused by these rules")
})

// definition and schema are the relevant parts of a CustomResourceDefinition.
type definition struct {
	Spec struct {
		Names    struct{ Kind string }
		Versions []struct {
			Schema struct{ OpenAPIV3Schema schema }
		}
	}
}

type schema struct {
	Description, Type    string
	Enum                 []any
	Rules                []struct{ Rule, Message, FieldPath string } `json:"x-kubernetes-validations"`
	Properties           map[string]schema
	Items                *schema
	AdditionalProperties *schema
}

// definitions returns the generated CRDs.
func definitions() []definition {
	GinkgoHelper()
	paths, err := filepath.Glob("../../config/crd/bases/*.yaml")
	Expect(err).NotTo(HaveOccurred())
	Expect(paths).To(HaveLen(4))
	found := make([]definition, len(paths))
	for i, path := range paths {
		content, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.Unmarshal(content, &found[i])).To(Succeed())
	}
	return found
}

func (d *definition) schema() schema { return d.Spec.Versions[0].Schema.OpenAPIV3Schema }

// rulesOf returns the rules of a schema. path is the path of the schema in refusals, without indexes.
func rulesOf(s schema, path string) []celRule {
	var rules []celRule
	for _, r := range s.Rules {
		field := strings.TrimPrefix(path+r.FieldPath, ".")
		if field == "" {
			field = "<nil>"
		}
		rules = append(rules, celRule{field: field, message: r.Message})
	}
	for name, property := range s.Properties {
		rules = append(rules, rulesOf(property, path+"."+name)...)
	}
	if s.Items != nil {
		rules = append(rules, rulesOf(*s.Items, path+"[]")...)
	}
	if s.AdditionalProperties != nil {
		rules = append(rules, rulesOf(*s.AdditionalProperties, path+".*")...)
	}
	return rules
}
