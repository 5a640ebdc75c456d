package apikeys

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/convert"
)

// Names of fields, as package keysapi has them.
const (
	FieldName        = "name"
	FieldDescription = "description"
	FieldCategory    = "category"
	FieldScopes      = "scopes"
	FieldRoles       = "roles"
	FieldExpiresAt   = "expires_at"
	FieldExpiresIn   = "expires_in_seconds"
)

// maxTTL is as far ahead as anybody may need, and every kind of time can say.
const maxTTL = 100 * 365 * 24 * time.Hour

func invalid(field, text string) *Error { return &Error{Kind: Invalid, Field: field, Text: text} }

// checkSubject has the rules that the CRD has: a subject that can't be is not looked for either.
func checkSubject(subject v1alpha1.Subject) error {
	field := strings.ToLower(string(subject.Kind))
	switch {
	case subject.Kind != v1alpha1.SubjectUser && !username.ValidSubject(subject.Name):
		return invalid(field, "must be 1-63 letters, digits, '.', '_', '-', a letter or digit first")
	case subject.Kind == v1alpha1.SubjectUser && !username.Valid(subject.Name):
		return invalid(field, "must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first")
	case subject.Kind == v1alpha1.SubjectUser && username.Reserved(subject.Name):
		return invalid(field, "username 'admin' is reserved")
	}
	return nil
}

func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return invalid(FieldName, "is required")
	case strings.ContainsFunc(name, unicode.IsControl):
		return invalid(FieldName, "must not have control characters")
	}
	return checkText(FieldName, name)
}

// checkText: a description may have lines.
func checkText(field, text string) error {
	isOdd := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	switch {
	case strings.ContainsFunc(text, isOdd):
		return invalid(field, "must not have control characters")
	case strings.ContainsFunc(text, turnsText):
		return invalid(field, "must not have characters that turn the direction of others")
	}
	return nil
}

// turnsText: by such characters, text can look like another.
func turnsText(r rune) bool { return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' }

func checkEnd(end *time.Time, now time.Time) error {
	switch {
	case end == nil:
		return nil
	case end.UTC().Year() > 9999:
		return invalid(FieldExpiresAt, "must be before the year 10000")
	case !end.Truncate(time.Second).After(now):
		return invalid(FieldExpiresAt, "must be in the future")
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < 0 || ttl > 0 && ttl < time.Second || ttl > maxTTL {
		return invalid(FieldExpiresIn, "must be from 1 to "+strconv.FormatInt(int64(maxTTL/time.Second), 10))
	}
	return nil
}

// checkTwice: of the API server's own words on it, nothing is left without the value.
func checkTwice(field string, list []string) error {
	for i, entry := range list {
		if slices.Contains(list[:i], entry) {
			return invalid(field+"["+strconv.Itoa(i)+"]", "is there twice")
		}
	}
	return nil
}

// checkRoles asks the API server: a role that somebody has just made is there.
func (s *Service) checkRoles(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	live, err := s.Registry.Roles(ctx)
	if err != nil {
		return err
	}
	byName := map[string]access.Role{}
	for i := range live {
		byName[live[i].Name] = convert.Role(&live[i])
	}
	if missing := access.NewRoles(byName).Missing(names); len(missing) > 0 {
		return invalid(FieldRoles, "unknown role "+strconv.Quote(missing[0]))
	}
	return nil
}
