package database_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "keywright.dev/keywright/"

// TestImports_AvoidGateAndHTTP holds the database below everything that serves requests.
func TestImports_AvoidGateAndHTTP(t *testing.T) {
	seen := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		for _, imported := range importsOf(t, path) {
			switch {
			case imported == "net/http", strings.HasPrefix(imported, module+"internal/gate"):
				t.Errorf("%s imports %s", path, imported)
			case strings.HasPrefix(imported, module):
				visit(strings.TrimPrefix(imported, module))
			}
		}
	}
	visit("internal/database")
	if !seen["internal/manage/sessions"] {
		t.Error("the imports of package sessions were not checked")
	}
}

// importsOf returns the imports of a package of this module, those of its tests left out.
func importsOf(t *testing.T, path string) (imports []string) {
	t.Helper()
	folder := filepath.Join("..", "..", filepath.FromSlash(path))
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range file.Imports {
			imports = append(imports, strings.Trim(one.Path.Value, `"`))
		}
	}
	return imports
}
