package config

import (
	"fmt"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/key/keyformat"
)

// parseCredentials reads names of forms, separated by commas. The document has them in one order and spelling, and
// leaves out the default, so that equal sets give equal documents.
func parseCredentials(s *Settings, value string) string {
	var forms credential.Forms
	problem := eachEntry(value, func(_ int, entry string) string {
		form, problem := parseForm(entry)
		forms |= form
		return problem
	})
	if problem != "" {
		return problem
	}
	s.Service.Credentials = nil
	if forms != 0 && forms != credential.Compatible {
		s.Service.Credentials = forms.Names()
	}
	return ""
}

// parseForm returns the form of an entry, or the problem of the entry. A name that is too short for a key is quoted.
func parseForm(entry string) (form credential.Forms, problem string) {
	form, known := credential.ParseForm(entry)
	name, scheme, hasScheme := strings.Cut(entry, ":")
	switch {
	case known:
		return form, ""
	case keyformat.IsGenerated(entry):
		return 0, problemKey
	case strings.ContainsAny(entry, "\r\n"):
		return 0, "has a line end: entries are separated by commas"
	case hasScheme && strings.EqualFold(strings.TrimSpace(name), "Authorization"):
		entry = "Authorization: " + excerpt(strings.TrimSpace(scheme))
	default:
		entry = excerpt(entry)
	}
	return 0, fmt.Sprintf("(%s) is not one of %s", entry, strings.Join(credential.FormNames(), ", "))
}
