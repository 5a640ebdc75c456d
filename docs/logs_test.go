package docs

import (
	"fmt"
	"go/ast"
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

// entry is one call that logs.
type entry struct {
	level, message, where string
	keys                  []string
}

// logged returns every entry that the programs write by themselves, and the keys that loggers carry.
func logged(t *testing.T) (entries []entry, carried []string) {
	t.Helper()
	for _, top := range []string{"cmd", "controllers", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, file fs.DirEntry, err error) error {
			if err != nil || file.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(node ast.Node) bool {
				call, isCall := node.(*ast.CallExpr)
				if !isCall {
					return true
				}
				if one, ok := entryOf(call); ok {
					one.where = set.Position(call.Pos()).String()
					entries = append(entries, one)
				} else if isLogger(call, "With") {
					carried = append(carried, keysOf(call.Args)...)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(entries) < 60 {
		t.Fatalf("found %d entries only", len(entries))
	}
	return entries, carried
}

// isLogger reports whether a call is one of this method of a variable or field that is named after a log.
func isLogger(call *ast.CallExpr, method string) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != method {
		return false
	}
	switch receiver := selector.X.(type) {
	case *ast.Ident:
		return strings.HasPrefix(strings.ToLower(receiver.Name), "log")
	case *ast.SelectorExpr:
		return strings.EqualFold(receiver.Sel.Name, "log")
	case *ast.CallExpr:
		// log.FromContext(ctx), of controller-runtime.
		from, ok := receiver.Fun.(*ast.SelectorExpr)
		return ok && from.Sel.Name == "FromContext"
	}
	return false
}

// entryOf returns what a call logs. The message follows the context, or the error of logr.
func entryOf(call *ast.CallExpr) (entry, bool) {
	for _, level := range []string{"Debug", "Info", "Warn", "Error"} {
		if !isLogger(call, level) && !isLogger(call, level+"Context") {
			continue
		}
		for i := range min(2, len(call.Args)) {
			if message, ok := text(call.Args[i]); ok {
				return entry{level: strings.ToLower(level), message: message, keys: keysOf(call.Args[i+1:])}, true
			}
		}
		return entry{level: strings.ToLower(level)}, true
	}
	return entry{}, false
}

// text returns the value of a constant string.
func text(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		value, err := strconv.Unquote(e.Value)
		return value, err == nil
	case *ast.BinaryExpr:
		left, isLeft := text(e.X)
		right, isRight := text(e.Y)
		return left + right, isLeft && isRight
	}
	return "", false
}

func keysOf(arguments []ast.Expr) (keys []string) {
	for i := 0; i < len(arguments); i += 2 {
		key, _ := text(arguments[i])
		keys = append(keys, key)
	}
	return keys
}

func TestLogsPage_HasEveryKey(t *testing.T) {
	_, listed, _ := strings.Cut(read(t, "logs.md"), "\n## Keys\n")
	listed, _, _ = strings.Cut(listed, "\n## ")
	onPage := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(listed, -1) {
		for _, key := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
			onPage[key[1]] = false
		}
	}
	entries, carried := logged(t)
	entries = append(entries, entry{where: "a logger", keys: carried})
	for _, e := range entries {
		for _, key := range e.keys {
			if _, known := onPage[key]; !known {
				t.Errorf("%s has key %q, which docs/logs.md does not have", e.where, key)
			}
			onPage[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(onPage)) {
		if !onPage[key] {
			t.Errorf("nothing is logged with key %q", key)
		}
	}
}

func TestLogsPage_HasEveryMessage(t *testing.T) {
	page, rows := read(t, "logs.md"), map[string]bool{}
	entries, _ := logged(t)
	for _, e := range entries {
		if e.message == "" {
			t.Errorf("%s logs a message that is not constant", e.where)
			continue
		}
		if e.level == "debug" {
			continue
		}
		_, section, _ := strings.Cut(page, fmt.Sprintf("\n### %s\n", e.level))
		section, _, _ = strings.Cut(section, "\n### ")
		row := "\n- " + e.message + "\n"
		rows[e.level+row] = true
		if !strings.Contains(section, row) {
			t.Errorf("%s: level %s of docs/logs.md does not have: %s", e.where, e.level, e.message)
		}
	}
	_, messages, _ := strings.Cut(page, "\n## Messages\n")
	if listed := strings.Count(messages, "\n- "); listed != len(rows) {
		t.Errorf("the page has %d messages, the code %d", listed, len(rows))
	}
}
