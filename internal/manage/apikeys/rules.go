package apikeys

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
)

// Names of input fields, as /apiv1 has them.
const (
	FieldName        = "name"
	FieldDescription = "description"
	FieldCategory    = "category"
	FieldScopes      = "scopes"
	FieldRoles       = "roles"
	FieldBudgets     = "budgets"
	FieldExpiresAt   = "expires_at"
	FieldExpiresIn   = "expires_in_seconds"
	FieldKeyID       = "key_id"
	FieldOverlap     = "overlap_seconds"
	FieldRevoked     = "revoked"
)

// maxTTL is the longest ttl that a spec can hold: 99999h59m59s.
const maxTTL = 100_000*time.Hour - time.Second

// checkSubject applies the rules of the CRD: a subject that breaks them owns no keys. It also refuses a key that was
// pasted in place of a name.
func (s *Service) checkSubject(subject v1alpha1.Subject) error {
	field := strings.ToLower(string(subject.Kind))
	switch {
	case !isKind(subject.Kind):
		return manage.InvalidField("subject", "must be User/<name>, Account/<name> or Integration/<name>")
	case keyformat.IsKey(subject.Name, s.Verifier.IsKey):
		return manage.InvalidField(field, "is a key, and keys must not appear as names")
	case subject.Kind != v1alpha1.SubjectUser && !username.ValidSubject(subject.Name):
		return manage.InvalidField(field, "must be 1-63 letters, digits, '.', '_', '-', a letter or digit first")
	case subject.Kind == v1alpha1.SubjectUser && !username.Valid(subject.Name):
		return manage.InvalidField(field, "must be a username: 2-50 letters, digits, '.', '_', '-', a letter or digit first")
	case subject.Kind == v1alpha1.SubjectUser && username.Reserved(subject.Name):
		return manage.InvalidField(field, "username 'admin' is reserved")
	}
	return nil
}

func isKind(kind v1alpha1.SubjectKind) bool {
	return kind == v1alpha1.SubjectUser || kind == v1alpha1.SubjectAccount || kind == v1alpha1.SubjectIntegration
}

// texts are what a caller writes about a key.
type texts struct {
	name, description, category string
	scopes, roles               []string
}

// checkNoKeys refuses a key that was pasted into a text: everyone who may read the object would see it.
func (s *Service) checkNoKeys(t *texts) error {
	isKey := func(word string) bool { return keyformat.IsKey(word, s.Verifier.IsKey) }
	for _, field := range []struct {
		name  string
		texts []string
	}{
		{FieldName, []string{t.name}}, {FieldDescription, []string{t.description}}, {FieldCategory, []string{t.category}},
		{FieldScopes, t.scopes}, {FieldRoles, t.roles},
	} {
		for _, text := range field.texts {
			if slices.ContainsFunc(strings.Fields(text), isKey) {
				return manage.InvalidField(field.name, "has a key in it, and keys must not be stored as text")
			}
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return manage.InvalidField(FieldName, "is required")
	case strings.ContainsFunc(name, unicode.IsControl):
		return manage.InvalidField(FieldName, "must not have control characters")
	case !strings.ContainsFunc(name, isVisible):
		return manage.InvalidField(FieldName, "must have a character that is visible")
	}
	return checkText(FieldName, name)
}

// isVisible reports whether a character alone shows anything. Lists link to a key by its name.
func isVisible(r rune) bool {
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && r != blankBraille &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// blankBraille is a symbol without a dot.
const blankBraille = '\u2800'

// checkText allows line breaks and tabs.
func checkText(field, text string) error {
	isOdd := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	switch {
	case strings.ContainsFunc(text, isOdd):
		return manage.InvalidField(field, "must not have control characters")
	case strings.ContainsFunc(text, changesDirection):
		return manage.InvalidField(field, "must not have characters that change the text direction")
	}
	return nil
}

// changesDirection matches characters that make a text look like another.
func changesDirection(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func checkEnd(end *time.Time, now time.Time) error {
	switch {
	case end == nil:
		return nil
	case end.UTC().Year() > 9999:
		return manage.InvalidField(FieldExpiresAt, "must be before the year 10000")
	case !end.Truncate(time.Second).After(now):
		return manage.InvalidField(FieldExpiresAt, "must be in the future")
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl < 0 || ttl > 0 && ttl < time.Second || ttl > maxTTL {
		return manage.InvalidField(FieldExpiresIn, "must be from 1 to "+strconv.FormatInt(int64(maxTTL/time.Second), 10))
	}
	return nil
}

// checkLimits refuses an end that a key which is issued now could not reach.
func (s *Service) checkLimits(end *time.Time, ttl time.Duration) error {
	longest := s.Limits().MaxTTL
	if longest == 0 {
		return nil
	}
	latest, setting := s.Now().Add(longest), ": MAX_TTL of this instance is "+string(convert.DurationOf(longest))
	switch {
	case ttl > longest:
		return manage.InvalidField(FieldExpiresIn, fmt.Sprintf("must be at most %d%s", longest/time.Second, setting))
	case end != nil && end.After(latest):
		return manage.InvalidField(FieldExpiresAt,
			"must be no later than "+latest.UTC().Format(time.RFC3339)+setting)
	}
	return nil
}

// Limits returns the limits of this instance on the life of keys.
func (s *Service) Limits() lifecycle.Limits { return s.Verifier.Limits() }

// checkUnique refuses duplicates, because the API server's own message about them says nothing without the value.
func checkUnique(field string, list []string) error {
	for i, entry := range list {
		if slices.Contains(list[:i], entry) {
			return manage.InvalidField(field+"["+strconv.Itoa(i)+"]", "is given twice")
		}
	}
	return nil
}

// checkRoles asks the API server, which has roles that the view does not have yet.
func (s *Service) checkRoles(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	live, err := s.Store.Roles(ctx)
	if err != nil {
		return err
	}
	byName := map[string]access.Role{}
	for i := range live {
		byName[live[i].Name] = convert.Role(&live[i])
	}
	if missing := access.NewRoles(byName, nil).Missing(names); len(missing) > 0 {
		return manage.InvalidField(FieldRoles, "unknown role "+strconv.Quote(missing[0]))
	}
	return nil
}

// inputField returns the name of the input for a field of an APIKey.
func inputField(path string, kind v1alpha1.SubjectKind) string {
	path, isSpec := strings.CutPrefix(path, "spec.")
	if !isSpec {
		return path
	}
	if strings.HasPrefix(path, "subject") {
		return strings.ToLower(string(kind))
	}
	for field, name := range map[string]string{
		"displayName": FieldName, "expiresAt": FieldExpiresAt, "ttl": FieldExpiresIn,
	} {
		if rest, found := strings.CutPrefix(path, field); found {
			return name + rest
		}
	}
	return path
}
