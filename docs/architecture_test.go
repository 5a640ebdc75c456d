package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = ".."
	module = "keywright.dev/keywright/"
)

// arrow is an import of one folder by another.
type arrow struct{ from, to string }

func (a arrow) String() string { return a.from + " --> " + a.to }

func TestDrawing_MatchesImports(t *testing.T) {
	drawn, imported := drawnArrows(t), map[arrow]string{}
	for _, i := range imports(t) {
		if a := (arrow{folderOf(i.from), folderOf(i.to)}); a.from != a.to {
			imported[a] = i.String()
		}
	}
	for a, example := range imported {
		if !drawn[a] {
			t.Errorf("not in the drawing of docs/architecture.md: %s, for %s", a, example)
		}
	}
	for a := range drawn {
		if _, ok := imported[a]; !ok {
			t.Errorf("drawn in docs/architecture.md, but nothing imports so: %s", a)
		}
	}
}

func TestControllers_ImportNoOtherController(t *testing.T) {
	for _, i := range imports(t) {
		if folderOf(i.from) == "controllers" && folderOf(i.to) == "controllers" {
			t.Errorf("%s: move what both need to internal/operator or internal/kube", i)
		}
	}
}

// drawnArrows returns the arrows of the first drawing on the page.
func drawnArrows(t *testing.T) map[arrow]bool {
	t.Helper()
	_, drawing, _ := strings.Cut(read(t, "architecture.md"), "```mermaid\n")
	drawing, _, _ = strings.Cut(drawing, "```")
	found := map[arrow]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+) --> (.+)$`).FindAllStringSubmatch(drawing, -1) {
		for to := range strings.SplitSeq(m[2], " & ") {
			found[arrow{folderOfNode(m[1]), folderOfNode(to)}] = true
		}
	}
	if len(found) == 0 {
		t.Fatal("docs/architecture.md begins with no drawing that has arrows")
	}
	return found
}

// folderOfNode returns the folder that a node of the drawing stands for.
func folderOfNode(node string) string {
	switch {
	case node == "api", node == "controllers":
		return node
	case node == "crd":
		return "config/crd"
	case strings.HasPrefix(node, "cmd_"):
		return "cmd/" + strings.TrimPrefix(node, "cmd_")
	}
	return "internal/" + node
}

// folderOf returns the folder of the drawing that a package belongs to.
func folderOf(pkg string) string {
	parts := strings.Split(pkg, "/")
	if parts[0] == "internal" || parts[0] == "cmd" || parts[0] == "config" {
		return strings.Join(parts[:2], "/")
	}
	return parts[0]
}

// imports returns which packages of this module import which others, tests aside.
func imports(t *testing.T) []arrow {
	t.Helper()
	found := map[arrow]bool{}
	for _, top := range []string{"api", "cmd", "controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			pkg, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			for _, to := range importsOf(t, path) {
				found[arrow{filepath.ToSlash(pkg), to}] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b arrow) int { return strings.Compare(a.String(), b.String()) })
}

// importsOf returns the packages of this module that a file imports.
func importsOf(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, spec := range parsed.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if pkg, ok := strings.CutPrefix(path, module); ok {
			found = append(found, pkg)
		}
	}
	return found
}
