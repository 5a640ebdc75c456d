package v1alpha1_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// described is a field of a CRD, identified by its path.
type described struct {
	schema
	kind, path, name string
	removed          bool
}

// describedFields returns the fields below spec or status, conditions aside: their texts are those of Kubernetes.
func describedFields(below string) []described {
	GinkgoHelper()
	var found []described
	for _, d := range definitions() {
		if top, ok := d.schema().Properties[below]; ok {
			found = append(found, fieldsOf(d.Spec.Names.Kind, below, top)...)
		}
	}
	Expect(len(found)).To(BeNumerically(">", 20), below)
	return found
}

func fieldsOf(kind, path string, s schema) []described {
	found := []described{{schema: s, kind: kind, path: path, name: path[strings.LastIndex(path, ".")+1:]}}
	found[0].removed = slices.ContainsFunc(removedFields, func(f removedField) bool {
		return f.name == kind && "spec."+f.path == path
	})
	if path == "status.conditions" {
		return found
	}
	for name, property := range s.Properties {
		found = append(found, fieldsOf(kind, path+"."+name, property)...)
	}
	if s.Items != nil {
		for name, property := range s.Items.Properties {
			found = append(found, fieldsOf(kind, path+"[]."+name, property)...)
		}
	}
	return found
}

// isFree reports whether people choose the value of the field: it is neither a struct nor one of a few values.
func (f *described) isFree() bool {
	switch f.Type {
	case "object":
		return f.AdditionalProperties != nil
	case "array":
		return f.Items.Properties == nil && f.Items.Enum == nil
	}
	return f.Enum == nil
}

// kubectl explain shows these texts.
var _ = Describe("The description of a field", func() {
	It("begins with the name of the field, and is one or more sentences", func() {
		for _, f := range append(describedFields("spec"), describedFields("status")...) {
			Expect(f.Description).To(Or(HavePrefix(f.name+" "), HavePrefix(f.name+": ")), "%s %s", f.kind, f.path)
			Expect(f.Description).To(HaveSuffix("."), "%s %s", f.kind, f.path)
		}
	})

	It("has an example if people choose the value", func() {
		for _, f := range describedFields("spec") {
			if f.isFree() && !f.removed {
				Expect(f.Description).To(ContainSubstring("Example: "), "%s %s", f.kind, f.path)
			}
		}
	})

	It("names the successor of a removed field", func() {
		removed := 0
		for _, f := range describedFields("spec") {
			if f.removed {
				removed++
				Expect(f.Description).To(HavePrefix(f.name+" was replaced by "), "%s %s", f.kind, f.path)
			}
		}
		Expect(removed).To(Equal(len(removedFields)))
	})
})
