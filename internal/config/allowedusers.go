package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/keyformat"
)

const (
	maxListed = 5000
	// maxName is the longest name that package credential accepts, in bytes.
	maxName = 128
)

// Listed is an entry of ALLOWED_USERS.
type Listed struct {
	// Entry is its number in the list as written, from one. Messages have it in place of the name, which may be a key in
	// the wrong place.
	Entry int
	// Name is the name or subject in lower case.
	Name string
}

// Doubtful describes doubtful entries of the allow list: their letters are of scripts that no language mixes, or no
// object has the name. isKnown reports whether one has. With TRUST_PROXY_HEADERS or TRUST_USERNAMES, callers need no
// object.
func (s *Settings) Doubtful(isKnown func(name string) bool) (problems []string) {
	for _, l := range s.Listed {
		subject := "entry " + strconv.Itoa(l.Entry)
		switch scripts := username.MixedScripts(l.Name); {
		case scripts != nil:
			problems = append(problems, subject+" mixes letters of "+strings.Join(scripts, " and "))
		case !s.Service.TrustProxyHeaders && !s.Service.TrustUsernames && !isKnown(l.Name):
			problems = append(problems, subject+" matches no AdminUser, APIKey or AccessRoleBinding")
		}
	}
	return problems
}

// parseAllowedUsers reads names separated by commas. It sorts them, so that equal sets of names give equal
// documents.
func parseAllowedUsers(s *Settings, value string) string {
	var listed []string
	problem := eachEntry(value, func(number int, entry string) string {
		if problem := checkListed(entry); problem != "" {
			return problem
		}
		folded := username.Fold(entry)
		listed = append(listed, folded)
		s.Listed = append(s.Listed, Listed{Entry: number, Name: folded})
		return ""
	})
	if problem != "" {
		return problem
	}
	slices.Sort(listed)
	listed = slices.Compact(listed)
	if len(listed) > maxListed {
		return fmt.Sprintf("has %d names; the maximum is %d", len(listed), maxListed)
	}
	s.Service.AllowedUsers = listed
	return ""
}

// checkListed returns the problem of a username or of a subject, which has its kind before a slash.
func checkListed(entry string) string {
	kind, name, isSubject := strings.Cut(entry, "/")
	switch {
	case keyformat.IsGenerated(entry), isSubject && keyformat.IsGenerated(name):
		return problemKey
	case !isSubject:
		return checkName(entry)
	case strings.EqualFold(kind, "User"):
		return checkName(name)
	case !strings.EqualFold(kind, "Account") && !strings.EqualFold(kind, "Integration"):
		return "has a slash, but not User, Account or Integration before it"
	case !username.ValidSubject(name):
		return "has no valid name after the slash: " + subjectRule
	}
	return ""
}

// neverInNames has separators, quotes, brackets and wildcards that people may write by mistake.
const neverInNames = "/;\"'`<>()[]{}*?$"

// checkName accepts more than username.Valid: a proxy may send the e-mail address of a user without an
// AdminUser.
func checkName(name string) string {
	switch {
	case name == "":
		return "has no name after the slash"
	case len(name) > maxName:
		return fmt.Sprintf("is longer than %d bytes", maxName)
	case strings.ContainsFunc(name, unicode.IsSpace):
		return "has a space or a line end: names are separated by commas"
	case strings.ContainsAny(name, neverInNames) || strings.ContainsFunc(name, isUnprintable):
		return "has a character that is not allowed in names"
	}
	return ""
}

func isUnprintable(c rune) bool { return !unicode.IsPrint(c) }
