package credential

import (
	"slices"
	"strings"
)

// Forms is a set of forms in which a request may present a key: schemes of Authorization, and headers that hold nothing
// but a key. The zero Forms stands for Compatible.
type Forms uint8

// Forms of a key. The schemes of Authorization come first: see Schemes.
const (
	Bearer Forms = 1 << iota
	Basic
	Token
	// XAPIKey is the header X-API-Key.
	XAPIKey
	// GoogAPIKey is the header x-goog-api-key.
	GoogAPIKey
	// APIKey is the header api-key.
	APIKey

	// Schemes are the schemes of Authorization.
	Schemes = Bearer | Basic | Token
	// Compatible are the forms of docs/compatibility.md, "Who is calling". They are the default of CREDENTIALS, and what
	// management reads whatever that setting has.
	Compatible = Bearer | Basic | XAPIKey
	// All has every form.
	All = Schemes | XAPIKey | GoogAPIKey | APIKey
)

const authorization = "Authorization"

// named has every form by its name in CREDENTIALS, in the order of docs/settings.md.
var named = [...]struct {
	form Forms
	name string
}{
	{Bearer, authorization + ": Bearer"},
	{Basic, authorization + ": Basic"},
	{XAPIKey, "X-API-Key"},
	{Token, authorization + ": Token"},
	{GoogAPIKey, "x-goog-api-key"},
	{APIKey, "api-key"},
}

// keyHeaders are the headers that hold nothing but a key, by canonical name.
var keyHeaders = [...]struct {
	form Forms
	name string
}{{XAPIKey, "X-Api-Key"}, {GoogAPIKey, "X-Goog-Api-Key"}, {APIKey, "Api-Key"}}

// Headers returns the canonical name of every header in which a key may be presented, with its forms.
func Headers() map[string]Forms {
	all := map[string]Forms{authorization: Schemes}
	for _, h := range keyHeaders {
		all[h.name] = h.form
	}
	return all
}

// FormNames returns the name of every form.
func FormNames() []string {
	var every Forms
	for _, n := range named {
		every |= n.form
	}
	return every.Names()
}

// ParseForm returns the form of a name, whose case does not matter, and false for another text.
func ParseForm(text string) (Forms, bool) {
	header, scheme, _ := strings.Cut(text, ":")
	plain := strings.TrimSpace(header)
	if scheme = strings.TrimSpace(scheme); scheme != "" {
		plain += ": " + scheme
	}
	for _, n := range named {
		if strings.EqualFold(n.name, plain) {
			return n.form, true
		}
	}
	return 0, false
}

// ParseForms returns the set of some names, and false if one is not the name of a form.
func ParseForms(names []string) (all Forms, ok bool) {
	for _, name := range names {
		form, ok := ParseForm(name)
		if !ok {
			return 0, false
		}
		all |= form
	}
	return all, true
}

// Names returns the names of the forms in the set.
func (f Forms) Names() (names []string) {
	for _, n := range named {
		if f.Have(n.form) {
			names = append(names, n.name)
		}
	}
	return slices.Clip(names)
}

// Have reports whether the set has one of some forms.
func (f Forms) Have(some Forms) bool { return f.orCompatible()&some != 0 }

// Schemes returns the schemes of Authorization in the set.
func (f Forms) Schemes() Forms { return f.orCompatible() & Schemes }

func (f Forms) orCompatible() Forms {
	if f == 0 {
		return Compatible
	}
	return f
}
