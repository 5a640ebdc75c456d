package output

import (
	"fmt"
	"slices"
	"strings"
	"text/template"

	"k8s.io/client-go/util/jsonpath"
)

// Format is how to print.
type Format struct {
	// Name is one of Formats.
	Name string
	path *jsonpath.JSONPath
	tmpl *template.Template
}

// The names of formats.
const (
	Table    = "table"
	Wide     = "wide"
	JSON     = "json"
	YAML     = "yaml"
	CSV      = "csv"
	Name     = "name"
	Key      = "key"
	JSONPath = "jsonpath"
	Template = "go-template"
)

// Formats are the names of all formats. The last two take an argument: jsonpath={.id}.
var Formats = []string{Table, Wide, JSON, YAML, CSV, Name, Key, JSONPath, Template}

// Parse parses the value of --output.
func Parse(text string) (*Format, error) {
	name, argument, given := strings.Cut(text, "=")
	f := &Format{Name: name}
	var err error
	switch {
	case !slices.Contains(Formats, name):
		return nil, fmt.Errorf("output %q must be one of %s", text, strings.Join(Formats, ", "))
	case name == JSONPath && given:
		f.path = jsonpath.New("output")
		err = f.path.Parse(braced(argument))
	case name == Template && given:
		f.tmpl, err = template.New("output").Option("missingkey=zero").Parse(argument)
	case name == JSONPath, name == Template:
		return nil, fmt.Errorf("output %s needs an expression: -o %s=…", name, name)
	case given:
		return nil, fmt.Errorf("output %s takes no argument", name)
	}
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", name, err)
	}
	return f, nil
}

// braced adds the braces that kubectl lets people leave out: .id is {.id}.
func braced(expression string) string {
	if strings.Contains(expression, "{") {
		return expression
	}
	return "{" + expression + "}"
}

// ForPeople is true for tables.
func (f *Format) ForPeople() bool { return f.Name == Table || f.Name == Wide }
