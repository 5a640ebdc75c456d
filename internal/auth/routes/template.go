package routes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// template is a text with wildcards: literals with a wildcard between every two of them.
type template struct {
	literals []string
	// wildcards has the numbers of wildcards of the pattern.
	wildcards []int
}

// parseTemplate parses a text with wildcards in braces. names are the wildcards of the pattern. An error
// describes the fault.
func parseTemplate(text string, names []string) (template, error) {
	if err := checkTemplate(text); err != nil {
		return template{}, err
	}
	var t template
	for {
		literal, rest, found := strings.Cut(text, "{")
		if strings.Contains(literal, "}") {
			return template{}, errors.New("has a } without {")
		}
		t.literals = append(t.literals, literal)
		if !found {
			return t, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || strings.Contains(name, "{") {
			return template{}, errors.New("has a { without }")
		}
		number := slices.Index(names, name)
		if number < 0 {
			return template{}, unknownWildcard(name, names)
		}
		t.wildcards = append(t.wildcards, number)
		text = after
	}
}

func checkTemplate(text string) error {
	switch {
	case len(text) > maxText:
		return fmt.Errorf("is longer than %d bytes", maxText)
	case !utf8.ValidString(text):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("has spaces or control characters")
	}
	return nil
}

func unknownWildcard(name string, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("names the wildcard {%s}, but the pattern has none", name)
	}
	return fmt.Errorf("names the wildcard {%s}, but the pattern has {%s}", name, strings.Join(names, "}, {"))
}

// fill returns the text with the values of the pattern's wildcards.
func (t *template) fill(values []string) string {
	if len(t.wildcards) == 0 {
		return strings.Join(t.literals, "")
	}
	var b strings.Builder
	for i, literal := range t.literals {
		b.WriteString(literal)
		if i < len(t.wildcards) {
			b.WriteString(values[t.wildcards[i]])
		}
	}
	return b.String()
}

// lacks reports whether a wildcard of the template has no value.
func (t *template) lacks(values []string) bool {
	return slices.ContainsFunc(t.wildcards, func(i int) bool { return values[i] == "" })
}
