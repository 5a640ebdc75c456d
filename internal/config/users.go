package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/keyformat"
)

const (
	maxListed = 5000
	// maxName is in bytes: the gate knows no longer one.
	maxName = 128
)

// parseAllowedUsers reads names that are separated by commas. The list is a set: it is sorted, so that the same names
// are the same document.
func parseAllowedUsers(s *Settings, value string) string {
	var listed []string
	for i, entry := range strings.Split(value, ",") {
		entry = strings.TrimSpace(unquote(entry))
		if entry == "" {
			continue
		}
		if problem := checkListed(entry); problem != "" {
			return fmt.Sprintf("entry %d %s", i+1, problem)
		}
		listed = append(listed, username.Fold(entry))
	}
	slices.Sort(listed)
	listed = slices.Compact(listed)
	if len(listed) > maxListed {
		return fmt.Sprintf("has %d names; %d are the most", len(listed), maxListed)
	}
	s.Service.AllowedUsers = listed
	return ""
}

// checkListed says what is wrong with a username or a subject, which has its kind before a slash.
func checkListed(entry string) string {
	kind, name, isSubject := strings.Cut(entry, "/")
	switch {
	case keyformat.IsGenerated(entry), isSubject && keyformat.IsGenerated(name):
		return aKey
	case !isSubject:
		return checkName(entry)
	case strings.EqualFold(kind, "User"):
		return checkName(name)
	case !strings.EqualFold(kind, "Account") && !strings.EqualFold(kind, "Integration"):
		return "has a slash, and before it neither User, Account nor Integration"
	case !username.ValidSubject(name):
		return "has no name of a subject after the slash: " + subjectRule
	}
	return ""
}

// neverInNames are what people write between names or around them, and wildcards, which there are none of.
const neverInNames = "/;\"'`<>()[]{}*?$"

// checkName is wider than the rule of the API: a proxy may tell of people who have no AdminUser, by their address.
func checkName(name string) string {
	switch {
	case name == "":
		return "has no name after the slash"
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case strings.ContainsFunc(name, unicode.IsSpace):
		return "has a space or a line end within: names are separated by commas"
	case strings.ContainsAny(name, neverInNames) || strings.ContainsFunc(name, isUnprintable):
		return "has a character that no name has"
	}
	return ""
}

func isUnprintable(c rune) bool { return !unicode.IsPrint(c) }
