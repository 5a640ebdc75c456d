package openapi

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// outline returns the shape of a schema as JSON with types in place of values.
func (r *reader) outline(schema *yaml.Node, indent string) string {
	schema = r.follow(schema)
	switch {
	case child(schema, "const").Value != "":
		return quoted(child(schema, "const"))
	case child(schema, "enum").Kind != 0:
		return alternatives(child(schema, "enum").Content, quoted)
	case child(schema, "anyOf").Kind != 0:
		return alternatives(child(schema, "anyOf").Content, func(s *yaml.Node) string { return r.outline(s, indent) })
	case child(schema, "oneOf").Kind != 0:
		return alternatives(child(schema, "oneOf").Content, func(s *yaml.Node) string { return r.outline(s, indent) })
	case child(schema, "allOf").Kind != 0:
		return r.outline(child(schema, "allOf").Content[0], indent)
	case child(schema, "items").Kind != 0:
		return "[" + r.outline(child(schema, "items"), indent) + ", …]"
	case child(schema, "properties").Kind != 0:
		return r.object(schema, indent)
	}
	return typeOf(schema)
}

func (r *reader) object(schema *yaml.Node, indent string) string {
	required := map[string]bool{}
	for _, name := range child(schema, "required").Content {
		required[name.Value] = true
	}
	inner := indent + "  "
	var lines []string
	for name, property := range pairs(child(schema, "properties")) {
		mark := ""
		if !required[name] {
			mark = "?"
		}
		lines = append(lines, inner+name+mark+": "+r.outline(property, inner))
	}
	return "{\n" + strings.Join(lines, ",\n") + "\n" + indent + "}"
}

func typeOf(schema *yaml.Node) string {
	kind := child(schema, "type")
	if kind.Kind == yaml.SequenceNode {
		return alternatives(kind.Content, func(n *yaml.Node) string { return n.Value })
	}
	if format := child(schema, "format").Value; format != "" {
		return format
	}
	if kind.Value == "" {
		return "anything"
	}
	return kind.Value
}

func alternatives(nodes []*yaml.Node, show func(*yaml.Node) string) string {
	all := make([]string, len(nodes))
	for i, n := range nodes {
		all[i] = show(n)
	}
	return strings.Join(all, " | ")
}

func quoted(n *yaml.Node) string {
	if n.Tag == "!!str" {
		return `"` + n.Value + `"`
	}
	return n.Value
}
