package keys

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// Codes of errors (COMPAT D).
const (
	codeUnauthorized = 401
	codeBadRequest   = 4000
	codeNotFound     = 4001
	codeForbidden    = 4003
	codeConflict     = 4009
	codeInternal     = 5000
)

// metadata is what is told of a key.
type metadata struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	KeyPrefix   *string          `json:"key_prefix"`
	Subject     string           `json:"subject"`
	Scopes      []string         `json:"scopes"`
	Roles       []string         `json:"roles"`
	Policy      *v1alpha1.Policy `json:"policy"`
	Enabled     bool             `json:"enabled"`
	// Revoked keys are refused for good.
	Revoked bool `json:"revoked"`
	// Active says that the key would be accepted now, and Reason why not.
	Active       bool    `json:"active"`
	Reason       string  `json:"reason"`
	CreatedAt    string  `json:"created_at"`
	ExpiresAt    *string `json:"expires_at"`
	LastUsedAt   *string `json:"last_used_at"`
	LastUsedFrom *string `json:"last_used_from"`
	Source       string  `json:"source"`
	// Object is where the key is kept, for kubectl, and Secret the one that the operator delivers it in. Null: none.
	Object reference  `json:"object"`
	Secret *reference `json:"secret"`
}

type reference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

func metadataOf(k *apikeys.Key) metadata {
	m := metadata{
		ID: k.ID, Name: k.Name, Description: k.Description, KeyPrefix: orNull(k.Prefix), Subject: k.Subject.String(),
		Scopes: k.Scopes, Roles: k.Roles, Policy: k.Policy, Enabled: k.Enabled, Revoked: k.Revoked, Active: k.Active, Reason: k.Reason,
		CreatedAt: k.CreatedAt.Format(time.RFC3339), ExpiresAt: written(k.ExpiresAt),
		LastUsedAt: written(k.LastUsedAt), LastUsedFrom: orNull(k.LastUsedFrom), Source: string(k.Source),
		Object: reference(k.Object),
	}
	if k.Secret != nil {
		m.Secret = &reference{k.Secret.Namespace, k.Secret.Name}
	}
	return m
}

// withToken has the token where there is one to tell.
type withToken struct {
	metadata
	Token string `json:"token,omitempty"`
}

type list struct {
	Items []metadata `json:"items"`
	Total int        `json:"total"`
}

type deleted struct {
	Deleted string `json:"deleted"`
}

type catalog struct {
	Actions []string `json:"actions"`
	Scopes  []string `json:"scopes"`
	Roles   []role   `json:"roles"`
}

type role struct {
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Permissions []v1alpha1.Permission `json:"permissions"`
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// written is in whole seconds, cut off: no key is accepted at the time that is told as its end.
func written(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return orNull(t.UTC().Format(time.RFC3339))
}

// prepare sets what every reply has.
func prepare(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "application/json")
	header.Set("X-Content-Type-Options", "nosniff")
}

// send: a caller who is gone is nobody to tell of an error.
func send(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func answer(w http.ResponseWriter, status int, data any) {
	send(w, status, struct {
		Data any `json:"data"`
	}{data})
}

type problem struct {
	Code int    `json:"code"`
	What string `json:"what"`
}

func refuse(w http.ResponseWriter, status, code int, what string) {
	send(w, status, struct {
		Error problem `json:"error"`
	}{problem{code, what}})
}

func refuseMethod(w http.ResponseWriter, allowed []string) {
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	refuse(w, http.StatusMethodNotAllowed, codeBadRequest, "method not allowed")
}

var refusals = map[apikeys.Kind]struct{ status, code int }{
	apikeys.Unauthorized: {http.StatusUnauthorized, codeUnauthorized},
	apikeys.Forbidden:    {http.StatusForbidden, codeForbidden},
	apikeys.NotFound:     {http.StatusNotFound, codeNotFound},
	apikeys.Invalid:      {http.StatusBadRequest, codeBadRequest},
	apikeys.Conflict:     {http.StatusConflict, codeConflict},
	apikeys.Unavailable:  {http.StatusServiceUnavailable, codeInternal},
	apikeys.Failed:       {http.StatusInternalServerError, codeInternal},
}

// fail says why something was not done.
func (c *call) fail(err error) {
	var why *apikeys.Error
	if !errors.As(err, &why) {
		c.Log.ErrorContext(c.r.Context(), "A request for API keys failed", "method", c.r.Method, "error", err.Error())
		why = &apikeys.Error{Kind: apikeys.Failed, Text: "internal error"}
	}
	what := why.Error()
	if down := c.Database.Err(); down != nil && why.Kind == apikeys.Unavailable {
		what = unavailable(down)
	}
	status, code := refusals[why.Kind].status, refusals[why.Kind].code
	if c.isTooLong {
		status = http.StatusRequestEntityTooLarge
	}
	refuse(c.w, status, code, what)
}
