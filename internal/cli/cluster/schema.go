package cluster

import (
	"encoding/json"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/config/crd"
)

// schemaNode is a part of a schema in the form of OpenAPI.
type schemaNode = map[string]any

// fieldChanges is how the fields of a kind in a cluster differ from those that this program knows. Fields have the form
// spec.rotation.every, and inside a list spec.budgets[].limit. A field stands for those below it.
type fieldChanges struct {
	// missing are fields that the cluster lacks, and unknown fields that this program does not know.
	missing, unknown []string
	// ruled are fields with other rules, such as another bound or default.
	ruled []string
}

func (c *fieldChanges) none() bool { return len(c.missing)+len(c.unknown)+len(c.ruled) == 0 }

// text says after the name of a CRD how it differs.
func (c *fieldChanges) text() string {
	var details []string
	if len(c.missing) > 0 {
		details = append(details, "lacks "+named(c.missing)+": the API server drops what is written there")
	}
	if len(c.unknown) > 0 {
		details = append(details, "has fields that this program does not know: "+named(c.unknown))
	}
	if len(c.ruled) > 0 {
		details = append(details, "has other rules for "+named(c.ruled))
	}
	return strings.Join(details, "; it ")
}

// knownSchemas returns the schema of each kind at the version that this program works with, and the name of its CRD.
func knownSchemas() (schemas map[string]schemaNode, crds map[string]string, err error) {
	schemas, crds = map[string]schemaNode{}, map[string]string{}
	files, err := fs.Glob(crd.Bases, "bases/*.yaml")
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		content, err := crd.Bases.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		var definition struct {
			Metadata struct{ Name string }
			Spec     struct {
				Names    apiextensionsv1.CustomResourceDefinitionNames
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema schemaNode }
				}
			}
		}
		if err := yaml.Unmarshal(content, &definition); err != nil {
			return nil, nil, err
		}
		kind := definition.Spec.Names.Kind
		crds[kind] = definition.Metadata.Name
		for _, version := range definition.Spec.Versions {
			if version.Name == v1alpha1.SchemeGroupVersion.Version {
				schemas[kind] = version.Schema.OpenAPIV3Schema
			}
		}
	}
	return schemas, crds, nil
}

// publishedSchemas returns the schema of each kind of an OpenAPI document that an API server publishes for a version of
// an API group.
func publishedSchemas(document []byte) (map[string]schemaNode, error) {
	var published struct {
		Components struct{ Schemas map[string]schemaNode }
	}
	if err := json.Unmarshal(document, &published); err != nil {
		return nil, err
	}
	schemas := map[string]schemaNode{}
	for _, schema := range published.Components.Schemas {
		for _, one := range list(schema["x-kubernetes-group-version-kind"]) {
			gvk, _ := one.(map[string]any)
			if gvk["group"] == v1alpha1.SchemeGroupVersion.Group {
				kind, _ := gvk["kind"].(string)
				schemas[kind] = schema
			}
		}
	}
	return schemas, nil
}

// changesOf compares the schema of a kind in a cluster with the known one.
func changesOf(known, published schemaNode) *fieldChanges {
	changes := &fieldChanges{}
	// The API server has its own schema of these, in every kind.
	common := []string{"apiVersion", "kind", "metadata"}
	changes.compareProperties("", without(known, common), without(published, common))
	for _, fields := range []*[]string{&changes.missing, &changes.unknown, &changes.ruled} {
		slices.Sort(*fields)
	}
	return changes
}

func without(object schemaNode, fields []string) schemaNode {
	properties := maps.Clone(node(object["properties"]))
	maps.DeleteFunc(properties, func(name string, _ any) bool { return slices.Contains(fields, name) })
	return properties
}

func (c *fieldChanges) compareProperties(parent string, known, published schemaNode) {
	for name, field := range known {
		path := strings.TrimPrefix(parent+"."+name, ".")
		if other, found := published[name]; found {
			c.compare(path, node(field), node(other))
		} else {
			c.missing = append(c.missing, path)
		}
	}
	for name := range published {
		if _, found := known[name]; !found {
			c.unknown = append(c.unknown, strings.TrimPrefix(parent+"."+name, "."))
		}
	}
}

func (c *fieldChanges) compare(path string, known, published schemaNode) {
	if !reflect.DeepEqual(rulesOf(known), rulesOf(published)) {
		c.ruled = append(c.ruled, path)
	}
	c.compareProperties(path, node(known["properties"]), node(published["properties"]))
	for keyword, suffix := range map[string]string{"items": "[]", "additionalProperties": ".*"} {
		if known, published := node(known[keyword]), node(published[keyword]); known != nil && published != nil {
			c.compare(path+suffix, known, published)
		}
	}
}

// ruleKeywords are the keywords of a field that a CRD and the document of the API server have in the same form.
var ruleKeywords = []string{
	"type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems",
	"maxProperties", "required", "default",
}

func rulesOf(field schemaNode) schemaNode {
	rules := schemaNode{}
	for _, keyword := range ruleKeywords {
		if value, found := field[keyword]; found {
			rules[keyword] = value
		}
	}
	var expressions []any
	for _, rule := range list(field["x-kubernetes-validations"]) {
		expressions = append(expressions, node(rule)["rule"])
	}
	rules["rules"] = expressions
	return rules
}

func node(value any) schemaNode {
	n, _ := value.(map[string]any)
	return n
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

// maxFields is how many fields a text names.
const maxFields = 8

// named returns fields as a text.
func named(fields []string) string {
	if more := len(fields) - maxFields; more > 0 {
		return strings.Join(fields[:maxFields], ", ") + " and " + strconv.Itoa(more) + " more"
	}
	return strings.Join(fields, ", ")
}
