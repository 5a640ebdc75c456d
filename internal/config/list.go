package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// entry is one mapping in a list that people write in YAML. It remembers the first thing that is wrong with it.
type entry struct {
	at      string
	fields  map[string]*yaml.Node
	problem string
}

// maxEntries bounds any list. Of routes there may be fewer.
const maxEntries = 1000

// readList reads a list of mappings which have these fields and no others. It works on the nodes of the document, where
// an alias is still an alias: nothing that was written once is ever multiplied.
func readList(text string, fields []string) (entries []*entry, problem string) {
	list, problem := oneDocument(text)
	if list == nil || problem != "" {
		return nil, problem
	}
	switch {
	case list.Kind != yaml.SequenceNode:
		return nil, "is no list: each entry begins with '- '"
	case len(list.Content) > maxEntries:
		return nil, fmt.Sprintf("has %d entries; %d are the most", len(list.Content), maxEntries)
	}
	for i, node := range list.Content {
		entries = append(entries, newEntry(i+1, node, fields))
	}
	return entries, ""
}

// oneDocument is the node of the one document in the text, or nil when there is nothing in it.
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
		return nil, "holds several documents: there may be no '---' between entries"
	case !errors.Is(err, io.EOF):
		return nil, notYAML(err)
	}
	node = document.Content[0]
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
		return nil, ""
	}
	return node, ""
}

// hints tell what is usually behind what the parser complains of.
var hints = []struct{ about, hint string }{
	{"alphabetic or numeric", "a value that begins with * or & has to stand in quotes"},
	{"unknown anchor", "a value that begins with * has to stand in quotes"},
	{"mapping values are not allowed", "a value with ': ' in it has to stand in quotes"},
	{"cannot start any token", "a value may not begin with @, ` or % unless it stands in quotes, nor a line with a tab"},
	{"unexpected end of stream", "a quote is not closed"},
	{"tab character", "indentation is made of spaces"},
	{"did not find expected", "look at the indentation and the quotes"},
}

// notYAML does not pass on what the parser says, which may quote the text. Its line is that of what it was in the midst
// of.
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
		e.fault("is not made of fields such as %s: …", fields[0])
		return e
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		switch _, twice := e.fields[name.Value]; {
		case name.Kind != yaml.ScalarNode:
			e.fault("has a field without a name")
		case !slices.Contains(fields, name.Value):
			e.fault("has an unknown field %q; known are %s", excerpt(name.Value), strings.Join(fields, ", "))
		case twice:
			e.fault("has %s twice", name.Value)
		case isShared(value):
			e.fault("has an anchor or an alias at %s: write it out, or put it in quotes", name.Value)
		}
		e.fields[name.Value] = value
	}
	return e
}

// isShared says that a node is written once to stand in several places.
func isShared(node *yaml.Node) bool { return node.Kind == yaml.AliasNode || node.Anchor != "" }

// fault notes what is wrong, if nothing was before.
func (e *entry) fault(format string, args ...any) {
	if e.problem == "" {
		e.problem = e.at + " " + fmt.Sprintf(format, args...)
	}
}

// maxText bounds a text in an entry, in bytes.
const maxText = 1 << 10

// text is a field that holds text, or "" where it is not there.
func (e *entry) text(name string) string {
	node := e.fields[name]
	if node == nil || e.problem != "" {
		return ""
	}
	value := strings.TrimSpace(node.Value)
	switch {
	case node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str":
		e.fault("has something else than text at %s: put it in quotes", name)
	case value == "":
		e.fault("has nothing at %s", name)
	case len(value) > maxText:
		e.fault("has more than %d bytes at %s", maxText, name)
	case strings.ContainsFunc(value, isUnprintable):
		e.fault("has a line end or another character that is not printed at %s", name)
	}
	return value
}

// maxPrice is a dollar a token.
const maxPrice = 1e6

// price is a field that holds a number from 0 to maxPrice, or nil where it is not there.
func (e *entry) price(name string) *float64 {
	node := e.fields[name]
	if node == nil || e.problem != "" {
		return nil
	}
	var value float64
	tag := node.ShortTag()
	switch {
	case node.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" || node.Decode(&value) != nil:
		e.fault("has something else than a number at %s", name)
	case math.IsNaN(value) || value < 0 || value > maxPrice:
		e.fault("has a number at %s that is not from 0 to %.0f", name, maxPrice)
	}
	// There is a zero with a sign, too.
	value = math.Abs(value)
	return &value
}

// require says that a field has to be there.
func (e *entry) require(names ...string) {
	for _, name := range names {
		if e.fields[name] == nil {
			e.fault("has no %s", name)
		}
	}
}

// maxProblems is how many entries of a list are told of.
const maxProblems = 5

// problemsOf tells what is wrong with entries, or nothing.
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
