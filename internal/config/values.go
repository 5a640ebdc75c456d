package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/keyformat"
)

// unquote removes one pair of quotes around a value, as environment files have them. A value with the same
// quotes inside was not quoted as a whole.
func unquote(value string) string {
	text := strings.TrimSpace(value)
	if len(text) < 2 || text[0] != '"' && text[0] != '\'' {
		return value
	}
	quote, inner := text[:1], text[1:len(text)-1]
	if !strings.HasSuffix(text, quote) || strings.Contains(inner, quote) {
		return value
	}
	return inner
}

// trimmed removes surrounding space before parse. It is for values of one line: the indentation of YAML matters.
func trimmed(parse parser) parser {
	return func(s *Settings, value string) string { return parse(s, strings.TrimSpace(value)) }
}

// flag reads true or false in the spellings of environment files. An empty value is the default.
func flag(set func(*Runtime, bool)) parser {
	return func(s *Settings, value string) string {
		switch strings.ToLower(value) {
		case "":
		case "true", "1", "yes", "on":
			set(&s.Service, true)
		case "false", "0", "no", "off":
			set(&s.Service, false)
		default:
			return "is neither true nor false"
		}
		return ""
	}
}

// parseAdminKey does not check the key, which depends on KEY_PREFIX: see checkBootstrap.
func parseAdminKey(s *Settings, value string) string {
	s.AdminKey = value
	return ""
}

var secretRef = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)/([A-Za-z0-9._-]{1,253})$`)

func parseAdminKeySecret(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	match := secretRef.FindStringSubmatch(value)
	if match == nil {
		return "is not of the form <name of a Secret>/<key in it>"
	}
	s.AdminKeySecret = &SecretRef{Name: match[1], Key: match[3]}
	return ""
}

func parseUnmatched(s *Settings, value string) string {
	switch strings.ToLower(value) {
	case "", "allow":
		s.Service.DenyUnmatched = false
	case "deny":
		s.Service.DenyUnmatched = true
	default:
		return "is neither allow nor deny"
	}
	return ""
}

// subjectRule describes username.ValidSubject.
const subjectRule = "1-63 letters, digits, '.', '_', '-', a letter or digit first"

func parseAccount(s *Settings, value string) string {
	switch {
	case value == "" || value == DefaultAccount:
		// Naming the default gives the same document as leaving it out.
		s.Service.Account = ""
	case keyformat.IsGenerated(value):
		return problemKey
	case !username.ValidSubject(value):
		return "is not the name of an account: " + subjectRule
	default:
		s.Service.Account = value
	}
	return ""
}

// problemKey is the problem of a key in a setting that is not secret.
const problemKey = "is an API key, which does not belong here: rotate it"

func parseKeyPrefix(s *Settings, value string) string {
	switch {
	case value == "" || value == keyformat.DefaultPrefix:
		s.Service.KeyPrefix = ""
	case !keyformat.IsPrefix(value):
		return "must be 2-8 lower-case letters and digits, a letter first and '_' last"
	default:
		s.Service.KeyPrefix = value
	}
	return ""
}

// minStale is the shortest STALE_AFTER. The API server needs up to four seconds to confirm that a watch is complete.
const minStale = 5 * time.Second

func parseStaleAfter(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	age, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return "is not a duration such as 30s, 5m or 1h30m"
	case age != 0 && age < minStale:
		return "is under 5s; 0 means never"
	}
	s.Service.StaleAfter = age
	return ""
}

// eachEntry calls read with each entry of a list that is separated by commas, and returns the first problem with the
// number of its entry. Numbers begin with 1. Empty entries have a number, and are not read.
func eachEntry(value string, read func(number int, entry string) (problem string)) string {
	for i, entry := range strings.Split(value, ",") {
		entry = strings.TrimSpace(unquote(entry))
		if entry == "" {
			continue
		}
		if problem := read(i+1, entry); problem != "" {
			return fmt.Sprintf("entry %d %s", i+1, problem)
		}
	}
	return ""
}
