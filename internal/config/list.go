package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"keywright.dev/keywright/internal/config/prices"
)

// entry is one mapping of a YAML list. problem is the first one that was found.
type entry struct {
	at      string
	fields  map[string]*yaml.Node
	problem string
}

// maxEntries bounds every list. Package routes has a lower bound.
const maxEntries = 1000

// readList reads a list of mappings with these fields and no others. It works on YAML nodes and does not
// resolve aliases, so a small text never becomes a large document.
func readList(text string, fields []string) (entries []*entry, problem string) {
	list, problem := oneDocument(text)
	if list == nil || problem != "" {
		return nil, problem
	}
	switch {
	case list.Kind != yaml.SequenceNode:
		return nil, "is not a list: each entry begins with '- '"
	case len(list.Content) > maxEntries:
		return nil, fmt.Sprintf("has %d entries; the maximum is %d", len(list.Content), maxEntries)
	}
	for i, node := range list.Content {
		entries = append(entries, newEntry(i+1, node, fields))
	}
	return entries, ""
}

// oneDocument returns the node of the only document in the text, or nil if it is empty.
func oneDocument(text string) (node *yaml.Node, problem string) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, another yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, ""
	case err != nil:
		return nil, notYAML(err)
	}
	switch err := decoder.Decode(&another); {
	case err == nil:
		return nil, "has several documents: remove '---' between entries"
	case !errors.Is(err, io.EOF):
		return nil, notYAML(err)
	}
	node = document.Content[0]
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		return nil, ""
	}
	return node, ""
}

// hints has the usual causes of errors of the parser.
var hints = []struct{ about, hint string }{
	{"alphabetic or numeric", "a value that begins with * or & needs quotes"},
	{"unknown anchor", "a value that begins with * needs quotes"},
	{"mapping values are not allowed", "a value that contains ': ' needs quotes"},
	{"cannot start any token", "a value that begins with @, ` or % needs quotes, and a line must not begin with a tab"},
	{"unexpected end of stream", "a quote is not closed"},
	{"tab character", "use spaces for indentation"},
	{"did not find expected", "check the indentation and the quotes"},
}

// notYAML drops the text of the parser, which may quote the value. The line is where the surrounding element
// begins.
func notYAML(err error) string {
	problem := "is not YAML"
	var line int
	if n, _ := fmt.Sscanf(err.Error(), "yaml: line %d:", &line); n == 1 {
		problem += fmt.Sprintf(" near line %d", line)
	}
	for _, h := range hints {
		if strings.Contains(err.Error(), h.about) {
			return problem + ": " + h.hint
		}
	}
	return problem
}

func newEntry(number int, node *yaml.Node, fields []string) *entry {
	e := &entry{at: fmt.Sprintf("entry %d (line %d)", number, node.Line), fields: map[string]*yaml.Node{}}
	switch {
	case isShared(node):
		e.fault("is an anchor or an alias: write it out")
		return e
	case node.Kind != yaml.MappingNode:
		e.fault("has no fields such as %s: …", fields[0])
		return e
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		switch _, twice := e.fields[name.Value]; {
		case name.Kind != yaml.ScalarNode:
			e.fault("has a field without a name")
		case !slices.Contains(fields, name.Value):
			e.fault("has an unknown field %q; the fields are %s", excerpt(name.Value), strings.Join(fields, ", "))
		case twice:
			e.fault("has %s twice", name.Value)
		case isShared(value):
			e.fault("has an anchor or an alias at %s: write it out, or put it in quotes", name.Value)
		}
		e.fields[name.Value] = value
	}
	return e
}

// isShared reports whether a node is an anchor or an alias.
func isShared(node *yaml.Node) bool { return node.Kind == yaml.AliasNode || node.Anchor != "" }

// fault records a problem, unless there is one.
func (e *entry) fault(format string, args ...any) {
	if e.problem == "" {
		e.problem = e.at + " " + fmt.Sprintf(format, args...)
	}
}

// maxText bounds a text in bytes.
const maxText = 1 << 10

// text returns the value of a text field, or "" if it is absent.
func (e *entry) text(name string) string {
	node := e.fields[name]
	if node == nil || e.problem != "" {
		return ""
	}
	value := strings.TrimSpace(node.Value)
	switch {
	case node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str":
		e.fault("has a value at %s that is not text: put it in quotes", name)
	case value == "":
		e.fault("has an empty value at %s", name)
	case len(value) > maxText:
		e.fault("has more than %d bytes at %s", maxText, name)
	case strings.ContainsFunc(value, isUnprintable):
		e.fault("has a line end or another unprintable character at %s", name)
	}
	return value
}

// truth returns the value of a field with true or false, or false if it is absent.
func (e *entry) truth(name string) (value bool) {
	node := e.fields[name]
	if node == nil || e.problem != "" {
		return false
	}
	if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!bool" || node.Decode(&value) != nil {
		e.fault("has a value at %s that is neither true nor false, without quotes", name)
	}
	return value
}

// number returns the value of a field with a number, and false if it is absent.
func (e *entry) number(name string) (value float64, given bool) {
	node := e.fields[name]
	if node == nil || e.problem != "" {
		return 0, false
	}
	tag := node.ShortTag()
	if node.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || node.Decode(&value) != nil {
		e.fault("has a value at %s that is not a number", name)
	}
	return value, e.problem == ""
}

// price returns the value of a field with the price of a million tokens.
func (e *entry) price(name string) prices.Rate {
	value, given := e.number(name)
	if !given {
		return prices.Rate{}
	}
	rate, problem := prices.PerMillion(value)
	if problem != "" {
		e.fault("has a number at %s that %s", name, problem)
	}
	return rate
}

// whole returns the value of a field with a whole number from 1 to most, or 0 if it is absent.
func (e *entry) whole(name string, most int64) int64 {
	value, given := e.number(name)
	if given && (value != math.Trunc(value) || value < 1 || value > float64(most)) {
		e.fault("has a value at %s that is not a whole number from 1 to %d", name, most)
		return 0
	}
	return int64(value)
}

// oneOf returns the value of a field with one of these words, or "" if it is absent.
func (e *entry) oneOf(name string, words []string) string {
	value := e.text(name)
	if value != "" && !slices.Contains(words, value) {
		e.fault("has a value at %s that is not one of %s", name, strings.Join(words, ", "))
	}
	return value
}

// require records a fault for each absent field.
func (e *entry) require(names ...string) {
	for _, name := range names {
		if e.fields[name] == nil {
			e.fault("has no %s", name)
		}
	}
}

// maxProblems bounds the entries whose problems are listed.
const maxProblems = 5

// problemsOf returns the problems of the entries, or "".
func problemsOf(entries []*entry) string {
	var problems []string
	for _, e := range entries {
		if e.problem != "" {
			problems = append(problems, e.problem)
		}
	}
	if more := len(problems) - maxProblems; more > 0 {
		problems = append(problems[:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(problems, ", ")
}
