package keys

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/httpapi/jsonbody"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// body creates or changes a key. Its values are decoded one by one, because null differs from a missing field.
type body struct {
	Name        json.RawMessage `json:"name"`
	Description json.RawMessage `json:"description"`
	Scopes      json.RawMessage `json:"scopes"`
	Roles       json.RawMessage `json:"roles"`
	Policy      json.RawMessage `json:"policy"`
	Budgets     json.RawMessage `json:"budgets"`
	ExpiresAt   json.RawMessage `json:"expires_at"`
	ExpiresIn   json.RawMessage `json:"expires_in_seconds"`
	Enabled     json.RawMessage `json:"enabled"`
	// Revoked is for changes only.
	Revoked json.RawMessage `json:"revoked"`
}

// Names of fields that package apikeys has no name for.
const (
	fieldPolicy  = "policy"
	fieldEnabled = "enabled"
)

// read reads the body of a call into v.
func read(c *httpapi.Call, v any, options ...jsonbody.Option) error {
	err := jsonbody.Read(c.W, c.R, v, options...)
	if err == nil {
		return nil
	}
	return &manage.Error{Kind: manage.Invalid, Field: err.Field, Text: err.Problem, Cause: err}
}

// wanted returns the key to create. A null is a missing field.
func (b *body) wanted() (*apikeys.Wanted, error) {
	for _, raw := range []*json.RawMessage{
		&b.Name, &b.Description, &b.Scopes, &b.Roles, &b.Policy, &b.Budgets, &b.ExpiresAt, &b.ExpiresIn, &b.Enabled,
	} {
		if isNull(*raw) {
			*raw = nil
		}
	}
	if b.Revoked != nil {
		return nil, manage.InvalidField(apikeys.FieldRevoked, "is not known")
	}
	c, err := b.change()
	if err != nil {
		return nil, err
	}
	w := &apikeys.Wanted{
		Policy: c.Policy, ExpiresAt: c.ExpiresAt, TTL: c.TTL, Disabled: c.Enabled != nil && !*c.Enabled,
	}
	take(&w.Name, c.Name)
	take(&w.Description, c.Description)
	take(&w.Scopes, c.Scopes)
	take(&w.Roles, c.Roles)
	take(&w.Budgets, c.Budgets)
	return w, nil
}

func take[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// change returns the change. A null removes the value of a field that may be missing.
func (b *body) change() (*apikeys.Change, error) {
	var f fields
	c := &apikeys.Change{
		Name:        f.text(apikeys.FieldName, b.Name),
		Description: f.text(apikeys.FieldDescription, orEmpty(b.Description, `""`)),
		Scopes:      f.list(apikeys.FieldScopes, orEmpty(b.Scopes, `[]`)),
		Roles:       f.list(apikeys.FieldRoles, orEmpty(b.Roles, `[]`)),
		Budgets:     f.budgets(apikeys.FieldBudgets, orEmpty(b.Budgets, `[]`)),
		ExpiresAt:   f.instant(apikeys.FieldExpiresAt, b.ExpiresAt),
		TTL:         f.seconds(apikeys.FieldExpiresIn, b.ExpiresIn),
		NoEnd:       isNull(b.ExpiresAt) || isNull(b.ExpiresIn),
		Enabled:     f.flag(fieldEnabled, b.Enabled),
	}
	if revoked := f.flag(apikeys.FieldRevoked, b.Revoked); revoked != nil {
		if c.Revoke = *revoked; !c.Revoke {
			f.refuse(apikeys.FieldRevoked, "must be true: a revoked key is refused for good")
		}
	}
	c.Policy, c.NoPolicy = f.policy(fieldPolicy, b.Policy), isNull(b.Policy)
	if b.ExpiresAt != nil && b.ExpiresIn != nil {
		f.refuse(apikeys.FieldExpiresIn, "excludes expires_at: a key ends either at an instant or some time after its issue")
	}
	return c, f.err
}

// rotation is the body of a rotation, which may be empty.
type rotation struct {
	KeyID   json.RawMessage `json:"key_id"`
	Overlap json.RawMessage `json:"overlap_seconds"`
}

// wanted returns how to rotate. A null is a missing field.
func (b *rotation) wanted() (*apikeys.Rotation, error) {
	var f fields
	r := &apikeys.Rotation{}
	if !isNull(b.KeyID) {
		take(&r.KeyID, f.text(apikeys.FieldKeyID, b.KeyID))
	}
	if !isNull(b.Overlap) {
		r.Overlap = f.overlap(apikeys.FieldOverlap, b.Overlap)
	}
	return r, f.err
}

func isNull(raw json.RawMessage) bool { return strings.TrimSpace(string(raw)) == "null" }

func orEmpty(raw json.RawMessage, empty string) json.RawMessage {
	if isNull(raw) {
		return json.RawMessage(empty)
	}
	return raw
}

// fields decodes values and keeps the first error.
type fields struct{ err error }

func (f *fields) refuse(field, text string) {
	if f.err == nil {
		f.err = manage.InvalidField(field, text)
	}
}

// value decodes a value. It returns nil for a missing field, and after an error.
func value[T any](f *fields, field string, raw json.RawMessage, kind string) *T {
	if raw == nil {
		return nil
	}
	var v *T
	if err := json.Unmarshal(raw, &v); err != nil || v == nil {
		f.refuse(field, "must be "+kind)
		return nil
	}
	return v
}

func (f *fields) text(field string, raw json.RawMessage) *string {
	return value[string](f, field, raw, "a string")
}

func (f *fields) flag(field string, raw json.RawMessage) *bool {
	return value[bool](f, field, raw, "true or false")
}

func (f *fields) list(field string, raw json.RawMessage) *[]string {
	entries := value[[]*string](f, field, raw, "a list of strings")
	if entries == nil {
		return nil
	}
	all := make([]string, 0, len(*entries))
	for _, entry := range *entries {
		if entry == nil {
			f.refuse(field, "must be a list of strings")
			return nil
		}
		all = append(all, *entry)
	}
	return &all
}

// instantForm is strict RFC 3339: time.Parse accepts 1:00:00,5.
var instantForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

func (f *fields) instant(field string, raw json.RawMessage) *time.Time {
	const kind = "a time such as 2030-01-31T12:00:00Z"
	if isNull(raw) {
		return nil
	}
	text := value[string](f, field, raw, kind)
	if text == nil {
		return nil
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil || !instantForm.MatchString(*text) {
		f.refuse(field, "must be "+kind)
		return nil
	}
	return &t
}

func (f *fields) seconds(field string, raw json.RawMessage) time.Duration {
	const most = 100_000*60*60 - 1
	if isNull(raw) {
		return 0
	}
	n := f.wholeSeconds(field, raw, 1, most)
	if n == nil {
		return 0
	}
	return *n
}

// wholeSeconds decodes a number of seconds within bounds.
func (f *fields) wholeSeconds(field string, raw json.RawMessage, least, most int64) *time.Duration {
	var great json.Number
	if json.Unmarshal(raw, &great) == nil && great != "" && raw[0] != '"' {
		if n, err := great.Float64(); err != nil || n < float64(least) || n > float64(most) {
			f.refuse(field, fmt.Sprintf("must be from %d to %d", least, most))
			return nil
		}
	}
	n := value[int64](f, field, raw, "a whole number of seconds")
	if n == nil {
		return nil
	}
	return new(time.Duration(*n) * time.Second)
}

func (f *fields) overlap(field string, raw json.RawMessage) *time.Duration {
	return f.wholeSeconds(field, raw, 0, int64(apikeys.MaxOverlap/time.Second))
}

// budgets decodes budgets as strictly as the body.
func (f *fields) budgets(field string, raw json.RawMessage) *[]v1alpha1.Budget {
	if raw == nil {
		return nil
	}
	if !strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		f.refuse(field, "must be a list of budgets")
		return nil
	}
	var list struct {
		Budgets []v1alpha1.Budget `json:"budgets"`
	}
	document := slices.Concat([]byte(`{"budgets":`), raw, []byte(`}`))
	if err := jsonbody.Parse(document, &list); err != nil {
		f.refuse(err.Field, err.Problem)
		return nil
	}
	return &list.Budgets
}

// policy decodes a policy as strictly as the body.
func (f *fields) policy(field string, raw json.RawMessage) *v1alpha1.Policy {
	if raw == nil || isNull(raw) {
		return nil
	}
	var p v1alpha1.Policy
	err := jsonbody.Parse(raw, &p)
	switch {
	case err == nil:
		return &p
	case err.Field == "":
		f.refuse(field, "must be an object")
	default:
		f.refuse(field+"."+err.Field, err.Problem)
	}
	return nil
}

// ParseWanted reads a key to create from a field of a body, which has what a POST of keys takes.
func ParseWanted(field string, raw json.RawMessage) (*apikeys.Wanted, error) {
	var b body
	if err := parse(field, raw, &b); err != nil {
		return nil, err
	}
	return b.wanted()
}

// ParseRotation reads how to rotate from a field of a body, which has what a POST of a rotation takes. It may be
// missing.
func ParseRotation(field string, raw json.RawMessage) (*apikeys.Rotation, error) {
	var b rotation
	if raw == nil || isNull(raw) {
		return &apikeys.Rotation{}, nil
	}
	if err := parse(field, raw, &b); err != nil {
		return nil, err
	}
	return b.wanted()
}

// parse reads a field of a body that is an object.
func parse(field string, raw json.RawMessage, v any) error {
	err := jsonbody.Parse(raw, v)
	switch {
	case err == nil:
		return nil
	case err.Field == "":
		return manage.InvalidField(field, "must be an object")
	}
	return manage.InvalidField(err.Field, err.Problem)
}
