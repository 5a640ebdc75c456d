package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxColumns bounds a line of Go. A tab counts as one, as it does for the linter lll.
const maxColumns = 120

type finding struct {
	line int
	text string
}

// own are the files that contain the phrases because they list them.
var own = regexp.MustCompile(`(^|/)hack/prose/`)

// check returns what is wrong with a file, in the order of its lines.
func check(file string, source []byte) []finding {
	var found []finding
	switch {
	case own.MatchString(file):
		found = checkLength(source, nil)
	case strings.HasSuffix(file, ".go"):
		found = checkGo(file, source)
	case strings.HasSuffix(file, ".md"):
		found = checkText(inlineCode.ReplaceAllString(string(source), "`x`"), 1)
	case hasHashComments(file):
		found = checkHashComments(string(source))
	}
	slices.SortStableFunc(found, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
	return found
}

// inlineCode is quoted from programs.
var inlineCode = regexp.MustCompile("`[^`\n]+`")

func hasHashComments(file string) bool {
	switch filepath.Base(file) {
	case "Makefile", "Dockerfile", ".gitignore", "run":
		return true
	}
	return slices.Contains([]string{".yaml", ".yml", ".sh"}, filepath.Ext(file))
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// checkGo looks at the comments and the string literals of a Go file, and at the length of its lines.
func checkGo(file string, source []byte) []finding {
	if generated.Match(source) {
		return nil
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []finding{{1, err.Error()}}
	}
	var found []finding
	for _, group := range parsed.Comments {
		found = append(found, checkText(uncomment(source, fset, group), fset.Position(group.Pos()).Line)...)
	}
	raw := map[int]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		first := fset.Position(lit.Pos()).Line
		found = append(found, checkText(lit.Value, first)...)
		for line := first; line <= first+strings.Count(lit.Value, "\n"); line++ {
			raw[line] = raw[line] || lit.Value[0] == '`'
		}
		return true
	})
	return append(found, checkLength(source, raw)...)
}

// uncomment returns the text of a comment, line by line as in the file, without the marks of a comment.
func uncomment(source []byte, fset *token.FileSet, group *ast.CommentGroup) string {
	lines := strings.Split(string(source[fset.Position(group.Pos()).Offset:fset.Position(group.End()).Offset]), "\n")
	for i, line := range lines {
		line = strings.TrimLeft(line, " \t")
		lines[i] = strings.TrimPrefix(strings.TrimPrefix(line, "//"), "/*")
	}
	return strings.Join(lines, "\n")
}

// directive matches lines that can't be broken: markers of generators, and go:embed and its like.
var directive = regexp.MustCompile(`^\s*//( ?\+|go:)`)

// checkLength reports lines over maxColumns. Raw strings are left out: they are often files and transcripts.
func checkLength(source []byte, raw map[int]bool) []finding {
	var found []finding
	for i, line := range bytes.Split(source, []byte("\n")) {
		if n := utf8.RuneCount(line); n > maxColumns && !raw[i+1] && !directive.Match(line) {
			found = append(found, finding{i + 1, fmt.Sprintf("%d columns, at most %d", n, maxColumns)})
		}
	}
	return found
}

// hashComment matches a comment that has its line to itself or follows something on it.
var hashComment = regexp.MustCompile(`(?:^|\s)#(.*)$`)

// checkHashComments looks at comments that begin with #; lines that follow each other are one text.
func checkHashComments(source string) []finding {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		text := ""
		if m := hashComment.FindStringSubmatch(line); m != nil {
			text = m[1]
		}
		if text == "" {
			text = "." // ends a phrase
		}
		lines[i] = text
	}
	return checkText(strings.Join(lines, "\n"), 1)
}

// checkText reports the phrases to avoid in a text that begins at a line of its file.
func checkText(text string, first int) []finding {
	var found []finding
	for _, m := range avoided(text) {
		line := first + strings.Count(text[:m[0]], "\n")
		found = append(found, finding{line, fmt.Sprintf("avoid %q", strings.Join(strings.Fields(text[m[0]:m[1]]), " "))})
	}
	return found
}
