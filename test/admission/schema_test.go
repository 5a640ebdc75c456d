package admission

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"keywright.dev/keywright/test/stack"
)

type schema = apiextensionsv1.JSONSchemaProps

// readCRD returns a generated CRD of this repository.
func readCRD(resource string) (*apiextensionsv1.CustomResourceDefinition, error) {
	root, err := stack.Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "config", "crd", "bases", "keywright.dev_"+resource+".yaml"))
	if err != nil {
		return nil, err
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	return crd, yaml.UnmarshalStrict(text, crd)
}

// leaves returns the paths of the fields that have no fields of their own. A list is a leaf, and so is a map.
func leaves(s *schema, path string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		switch {
		case isRemoved(&field):
		case len(field.Properties) > 0:
			all = append(all, leaves(&field, path+name+".")...)
		default:
			all = append(all, path+name)
		}
	}
	return all
}

// isRemoved reports whether a field is a former one: the CRD refuses every value of it.
func isRemoved(field *schema) bool {
	return slices.ContainsFunc(field.XValidations, func(rule apiextensionsv1.ValidationRule) bool {
		return strings.TrimSpace(rule.Rule) == "false"
	})
}
