package versions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// The version that there is, and the one to come.
const alpha, beta = "v1alpha1", "v1beta1"

// crd is a CustomResourceDefinition.
type crd struct{ *unstructured.Unstructured }

// generatedCRDs returns the CRDs that make manifests generates.
func generatedCRDs() ([]crd, error) {
	files, err := filepath.Glob("../../config/crd/bases/*.yaml")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no CRDs: %w", err)
	}
	var found []crd
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		content, err = yaml.YAMLToJSON(content)
		if err != nil {
			return nil, err
		}
		c := crd{&unstructured.Unstructured{}}
		if err := c.UnmarshalJSON(content); err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

func (c crd) spec() map[string]any { return c.Object["spec"].(map[string]any) }

func (c crd) kind() string { return c.spec()["names"].(map[string]any)["kind"].(string) }

// at is the resource at a version.
func (c crd) at(version string) schema.GroupVersionResource {
	return schema.GroupVersionResource{
		Group: c.spec()["group"].(string), Version: version, Resource: c.spec()["names"].(map[string]any)["plural"].(string)}
}

// move gives the CRD another API group.
func (c crd) move(group string) {
	c.spec()["group"] = group
	c.SetName(c.at("").Resource + "." + group)
}

// versions returns the versions. The maps belong to the CRD.
func (c crd) versions() []map[string]any {
	var found []map[string]any
	for _, version := range c.spec()["versions"].([]any) {
		found = append(found, version.(map[string]any))
	}
	return found
}

// version returns the version of this name, or nil.
func (c crd) version(name string) map[string]any {
	for _, version := range c.versions() {
		if version["name"] == name {
			return version
		}
	}
	return nil
}

// schemaOf returns the schema of a version.
func schemaOf(version map[string]any) map[string]any {
	return version["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
}

// addBeta adds v1beta1 as a copy of v1alpha1. It is served and not stored.
func (c crd) addBeta() {
	added := runtime.DeepCopyJSON(c.version(alpha))
	added["name"], added["storage"] = beta, false
	c.spec()["versions"] = append(c.spec()["versions"].([]any), added)
}

// store makes a version the one that is stored.
func (c crd) store(name string) {
	for _, version := range c.versions() {
		version["storage"] = version["name"] == name
	}
}

// remove removes a version.
func (c crd) remove(name string) {
	c.spec()["versions"] = slices.DeleteFunc(c.spec()["versions"].([]any), func(version any) bool {
		return version.(map[string]any)["name"] == name
	})
}

// ofEachVersion are the fields in which versions differ. Everything else has to be equal: the schema with its rules,
// defaults and descriptions, columns, selectable fields and subresources.
var ofEachVersion = []string{"name", "served", "storage", "deprecated", "deprecationWarning"}

// checkEqual returns an error if objects could be different at different versions.
func (c crd) checkEqual() error {
	if conversion, _, _ := unstructured.NestedString(c.Object, "spec", "conversion", "strategy"); conversion != "" &&
		conversion != "None" {
		return fmt.Errorf("%s: the conversion strategy is %s", c.kind(), conversion)
	}
	var first []byte
	for _, version := range c.versions() {
		common := maps.Clone(version)
		for _, field := range ofEachVersion {
			delete(common, field)
		}
		encoded, err := json.Marshal(common)
		if err != nil {
			return err
		}
		if first != nil && !bytes.Equal(encoded, first) {
			return fmt.Errorf("%s: %s differs from %s", c.kind(), version["name"], c.versions()[0]["name"])
		}
		first = encoded
	}
	return nil
}

// isServed reports whether the CRD serves a version.
func (c crd) isServed(name string) bool {
	version := c.version(name)
	return version != nil && version["served"] == true
}
