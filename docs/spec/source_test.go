package spec_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// constants returns the string constants of a file by their names.
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
	return found
}

// fields returns the JSON names of all struct fields, except embedded ones and those of list types.
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
	if len(names) == 0 {
		t.Fatalf("no fields in %s", path)
	}
	return names
}

// paths returns the paths of all leaf fields of a struct: secret.dataKey, policy.permissions[].effect. Conditions have
// tables of their own, and former fields, which a rule refuses, have no place in them.
func paths(of reflect.Type, prefix string) []string {
	var found []string
	for field := range of.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch kind := pointedTo(field.Type); {
		case name == "conditions" || strings.HasPrefix(field.Name, "Removed"):
		case name == "":
			found = append(found, paths(kind, prefix)...)
		case isOurs(kind):
			found = append(found, paths(kind, prefix+name+".")...)
		case kind.Kind() == reflect.Slice && isOurs(kind.Elem()):
			found = append(append(found, prefix+name), paths(kind.Elem(), prefix+name+"[].")...)
		default:
			found = append(found, prefix+name)
		}
	}
	return found
}

func pointedTo(of reflect.Type) reflect.Type {
	if of.Kind() == reflect.Pointer {
		return of.Elem()
	}
	return of
}

// isOurs reports whether a type is a struct of Keywright's API, not a time.
func isOurs(of reflect.Type) bool {
	return of.Kind() == reflect.Struct && strings.HasPrefix(of.PkgPath(), "keywright.dev/")
}
