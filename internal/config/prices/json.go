package prices

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// IsJSONObject reports whether a text is meant to be an object in JSON.
func IsJSONObject(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}

// ParseJSON reads the prices in a file of LiteLLM or models.dev, at most that many, sorted. Models without a price of
// tokens are left out. The problem is the rest of a sentence. It names places, never a value.
func ParseJSON(text []byte, most int) (all []Price, problem string) {
	if !utf8.Valid(text) {
		return nil, "is not UTF-8"
	}
	r := &reader{text: text, entries: map[name]*found{}}
	r.check()
	if r.problem == "" {
		r.read()
	}
	if r.problem != "" {
		return nil, r.problem
	}
	for _, entry := range r.entries {
		all = append(all, entry.prices...)
	}
	switch {
	case len(all) == 0:
		return nil, "has no price of tokens"
	case len(all) > most:
		return nil, fmt.Sprintf("has %d prices; the maximum is %d", len(all), most)
	}
	Sort(all)
	return all, ""
}

// reader collects the prices of a document.
type reader struct {
	text []byte
	// lines are the offsets at which lines begin, once position has been called.
	lines   []int
	entries map[name]*found
	// problem is the first one.
	problem string
}

type name struct{ provider, model string }

// found are the prices of a model.
type found struct {
	place string
	// source identifies the entry in the document.
	source string
	// exact is true if no name of the entry was replaced by its canonical one.
	exact  bool
	prices []Price
}

// member is a member of an object. at is the offset of the value in the document.
type member struct {
	name  string
	value json.RawMessage
	at    int
}

// read finds out whose file it is by its first entry.
func (r *reader) read() {
	top := r.members("the file", &member{value: r.text})
	readEntry := r.liteLLM
	first := slices.IndexFunc(top, func(m member) bool { return m.name != sampleSpec })
	if first >= 0 && isObject(&top[first]) && field(r.members("the file", &top[first]), "models") != nil {
		readEntry = r.modelsDev
	}
	for i := range top {
		readEntry(fmt.Sprintf("entry %d (%s)", i+1, r.position(top[i].at)), &top[i])
		if r.problem != "" {
			return
		}
	}
}

// maxMembers bounds the members of an object: the memory that a file takes.
const maxMembers = 50_000

// members takes an object apart.
func (r *reader) members(place string, m *member) (all []member) {
	if !isObject(m) {
		r.faultf("%s is not an object", place)
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(m.value))
	// The document is valid JSON: there is no error.
	_, _ = decoder.Token()
	for decoder.More() {
		token, _ := decoder.Token()
		found := member{}
		_ = decoder.Decode(&found.value)
		found.name, _ = token.(string)
		found.at = m.at + int(decoder.InputOffset()) - len(found.value)
		if all = append(all, found); len(all) > maxMembers {
			r.faultf("%s has more than %d members", place, maxMembers)
			return nil
		}
	}
	return all
}

func isObject(m *member) bool { return IsJSONObject(m.value) }

// object takes an object apart whose members have different names.
func (r *reader) object(place string, m *member) []member {
	all := r.members(place, m)
	seen := make(map[string]bool, len(all))
	for i := range all {
		if seen[all[i].name] {
			r.faultf("%s has the same field twice, again in %s", place, r.position(all[i].at))
		}
		seen[all[i].name] = true
	}
	return all
}

// field returns a member, or nil.
func field(all []member, named string) *member {
	for i := range all {
		if all[i].name == named {
			return &all[i]
		}
	}
	return nil
}

// number returns the value of a member. It reports false for null.
func (r *reader) number(place string, m *member) (value float64, given bool) {
	if string(m.value) == "null" {
		return 0, false
	}
	value, err := strconv.ParseFloat(string(m.value), 64)
	if c := m.value[0]; err != nil || c != '-' && (c < '0' || c > '9') {
		r.faultf("%s: %s is not a number", place, m.name)
		return 0, false
	}
	return value, true
}

// rate returns the value of a member as a price.
func (r *reader) rate(place string, m *member, read func(float64) (Rate, string)) Rate {
	value, given := r.number(place, m)
	if !given {
		return Rate{}
	}
	rate, problem := read(value)
	if problem != "" {
		r.faultf("%s: %s %s", place, m.name, problem)
	}
	return rate
}

// add adds the prices of an entry. Two entries may have the same canonical names: the one that is spelled so counts, or
// else the first. One name must not stand for two different prices.
func (r *reader) add(place, provider, model string, of map[condition]*Rates) {
	if !isName(model) || provider != "" && !isName(provider) {
		r.faultf("%s: the name of the provider or the model is empty, unprintable or longer than %d bytes", place, MaxName)
		return
	}
	var key name
	key.provider, key.model = Canonical(provider, model)
	entry := &found{place: place, source: provider + " " + model, exact: key == name{provider, model}}
	for condition, rates := range of {
		if *rates != (Rates{}) {
			entry.prices = append(entry.prices, Price{
				Provider: key.provider, Model: key.model,
				Above: condition.above, ServiceTier: condition.serviceTier, Rates: *rates,
			})
		}
	}
	Sort(entry.prices)
	before := r.entries[key]
	switch {
	case len(entry.prices) == 0:
	case before == nil, entry.exact && !before.exact:
		r.entries[key] = entry
	case before.source == entry.source && !slices.Equal(before.prices, entry.prices):
		r.faultf("%s has the same name as %s, and another price", place, before.place)
	}
}

func (r *reader) faultf(format string, args ...any) {
	if r.problem == "" {
		r.problem = fmt.Sprintf(format, args...)
	}
}

// check finds out whether the document is JSON. It drops the text of the parser, which may quote the document.
func (r *reader) check() {
	decoder := json.NewDecoder(bytes.NewReader(r.text))
	err := decoder.Decode(new(json.RawMessage))
	var syntax *json.SyntaxError
	switch end := int(decoder.InputOffset()); {
	case errors.As(err, &syntax):
		r.faultf("is not JSON near %s", r.position(int(syntax.Offset)-1))
	case err != nil:
		r.faultf("is not JSON: it ends in the middle")
	case len(bytes.TrimSpace(r.text[end:])) > 0:
		r.faultf("has more than one object, again in %s", r.position(end))
	}
}

// position returns the line and the column of an offset, from 1.
func (r *reader) position(at int) string {
	if r.lines == nil {
		r.lines = []int{0}
		for i, c := range r.text {
			if c == '\n' {
				r.lines = append(r.lines, i+1)
			}
		}
	}
	line, _ := slices.BinarySearch(r.lines, at+1)
	return fmt.Sprintf("line %d, column %d", line, at-r.lines[line-1]+1)
}
