package spec_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every condition, reason, event and annotation of the API is explained on its kind's page.
func TestThePageNamesEveryConstantOfTheAPI(t *testing.T) {
	page, err := os.ReadFile("adminuser.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"conditions.go", "events.go", "names.go"} {
		for name, value := range constants(t, "../../api/v1alpha1/"+file) {
			documented := strings.HasPrefix(name, "Condition") || strings.HasPrefix(name, "Reason") ||
				strings.HasPrefix(name, "Event") || strings.HasPrefix(name, "Annotation")
			if documented && !strings.Contains(string(page), "`"+value) {
				t.Errorf("adminuser.md does not explain %s (%s)", value, name)
			}
		}
	}
}

// Every field of spec and status stands on the page.
func TestThePageNamesEveryField(t *testing.T) {
	page, err := os.ReadFile("adminuser.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"adminuser_types.go", "key_types.go"} {
		for _, field := range fields(t, "../../api/v1alpha1/"+file) {
			named := regexp.MustCompile("`([a-z]+\\.)?" + field + "(\\[\\])?[.`]")
			if !named.Match(page) {
				t.Errorf("adminuser.md does not explain field %s", field)
			}
		}
	}
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// constants maps the names of string constants to their values.
func constants(t *testing.T, path string) map[string]string {
	t.Helper()
	found := map[string]string{}
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok && literal.Kind == token.STRING {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			found[spec.Names[0].Name] = value
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("no constants in %s", path)
	}
	return found
}

// fields lists the JSON names of all struct fields, those of embedded and of list types left out.
func fields(t *testing.T, path string) []string {
	t.Helper()
	var names []string
	ast.Inspect(parse(t, path), func(n ast.Node) bool {
		field, ok := n.(*ast.Field)
		if !ok || field.Tag == nil {
			return true
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.Trim(field.Tag.Value, "`"), `json:"`), ",")
		switch name = strings.TrimSuffix(name, `"`); name {
		case "", "metadata", "items", "spec", "status", "conditions":
		default:
			names = append(names, name)
		}
		return true
	})
	return names
}
