package openapi

import (
	_ "embed" // for the document
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed openapi.yaml
var document []byte

// Document returns the OpenAPI document, in YAML.
func Document() []byte { return document }

// description is the part of the document that the page shows.
type description struct {
	Info struct {
		Title, Version, Summary, Description string
	}
	Tags       []tag
	Paths      yaml.Node
	Components yaml.Node
}

type tag struct {
	Name, Description string
	Operations        []operation `yaml:"-"`
}

// ID returns the tag as a fragment of a URL.
func (t tag) ID() string { return strings.ReplaceAll(strings.ToLower(t.Name), " ", "-") }

// operation is a method of a path.
type operation struct {
	Method, Path         string
	OperationID          string `yaml:"operationId"`
	Tags                 []string
	Summary, Description string
	Parameters           []yaml.Node
	RequestBody          yaml.Node `yaml:"requestBody"`
	Responses            yaml.Node
}

// parameter is a parameter of the path, the query or a header.
type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                yaml.Node
}

var methods = map[string]bool{"get": true, "post": true, "put": true, "patch": true, "delete": true}

// read parses the document and keeps its order, which is that of the page.
func read(text []byte) (*reader, error) {
	r := &reader{}
	if err := yaml.Unmarshal(text, &r.description); err != nil {
		return nil, err
	}
	for path, item := range pairs(&r.Paths) {
		if err := r.takePath(path, item); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return r, nil
}

// reader is the parsed document and its operations.
type reader struct {
	description
	operations []operation
}

func (r *reader) takePath(path string, item *yaml.Node) error {
	var common struct{ Parameters []yaml.Node }
	if err := item.Decode(&common); err != nil {
		return err
	}
	for method, node := range pairs(item) {
		if !methods[method] {
			continue
		}
		o := operation{Method: strings.ToUpper(method), Path: path}
		if err := node.Decode(&o); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		o.Parameters = append(common.Parameters, o.Parameters...)
		r.operations = append(r.operations, o)
	}
	return nil
}

// pairs iterates over a mapping in its order.
func pairs(node *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

// child returns the value of a key, or an empty node.
func child(node *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(node) {
		if key == name {
			return value
		}
	}
	return &yaml.Node{}
}

// follow resolves a reference to #/components/….
func (r *reader) follow(node *yaml.Node) *yaml.Node {
	for {
		ref := child(node, "$ref").Value
		if ref == "" {
			return node
		}
		node = &r.Components
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/components/"), "/") {
			node = child(node, part)
		}
	}
}

// Operations returns the methods and paths of the document in its order: "GET /api/auth/me".
func Operations() ([]string, error) {
	r, err := read(document)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(r.operations))
	for i, o := range r.operations {
		names[i] = o.Method + " " + o.Path
	}
	return names, nil
}
