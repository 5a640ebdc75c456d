package apiclient

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Key describes an APIKey. Times are as the server sent them (RFC 3339), and nil if they never happened.
type Key struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	KeyPrefix    *string         `json:"key_prefix"`
	KeyID        *string         `json:"key_id"`
	Subject      string          `json:"subject"`
	Scopes       []string        `json:"scopes"`
	Roles        []string        `json:"roles"`
	Policy       json.RawMessage `json:"policy"`
	Budgets      []KeyBudget     `json:"budgets"`
	Enabled      bool            `json:"enabled"`
	CreatedAt    string          `json:"created_at"`
	ExpiresAt    *string         `json:"expires_at"`
	ExpiresFrom  *string         `json:"expires_from"`
	LastUsedAt   *string         `json:"last_used_at"`
	LastUsedFrom *string         `json:"last_used_from"`
	Source       string          `json:"source"`
	Revoked      bool            `json:"revoked"`
	Active       bool            `json:"active"`
	Reason       string          `json:"reason"`
	Object       Reference       `json:"object"`
	Secret       *Reference      `json:"secret"`
	// Token is the key itself, only in the reply that creates or rotates it.
	Token string `json:"token,omitempty"`
	// PreviousEndsAt is when the key that a rotation has replaced ends or has ended, only in its reply.
	PreviousEndsAt *string `json:"previous_ends_at,omitempty"`
}

// KeyBudget limits what AI calls of a key may cost, or how many tokens they may use, in each period.
type KeyBudget struct {
	Name   string `json:"name"`
	USD    string `json:"usd,omitempty"`
	Tokens int64  `json:"tokens,omitempty"`
	Period string `json:"period"`
	Action string `json:"action"`
}

// KeyFilter chooses keys from the list.
type KeyFilter struct {
	// Subject is User/alice, Account/ci or Integration/github; "" means every subject the caller may see.
	Subject string
	// Name is a pattern in which * stands for any characters and ? for one.
	Name string
	// Search is a part of the name, the subject, a prefix or the object, or a whole key id.
	Search string
}

// KeyFields are fields of a key. A field that is absent stays as it is, or has its default in a new key; a null
// removes it.
type KeyFields map[string]any

const (
	keysPath = "/apiv1/apikeys"
	pageSize = 1000
)

func keyPath(id string) string { return keysPath + "/" + url.PathEscape(id) }

// keyed calls and takes the reply out of its envelope.
func keyed[T any](ctx context.Context, c *Client, r *Request) (*T, error) {
	var reply struct {
		Data *T `json:"data"`
	}
	if err := c.call(ctx, r, &reply); err != nil {
		return nil, err
	}
	if reply.Data == nil {
		return nil, fmt.Errorf("%s does not reply like a Keywright server: the reply has no data", c.URL)
	}
	return reply.Data, nil
}

// Keys iterates over the keys that match, newest first, and asks for a page when it is needed. It stops after an error.
func (c *Client) Keys(ctx context.Context, filter KeyFilter) iter.Seq2[*Key, error] {
	return func(yield func(*Key, error) bool) {
		for page, err := range c.keyPages(ctx, filter) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page.Items {
				if !yield(&page.Items[i], nil) {
					return
				}
			}
		}
	}
}

func (c *Client) keyPages(ctx context.Context, filter KeyFilter) iter.Seq2[*keyList, error] {
	return func(yield func(*keyList, error) bool) {
		for offset, more := 0, true; more; {
			page, err := c.keyPage(ctx, filter, offset)
			if !yield(page, err) || err != nil {
				return
			}
			offset += len(page.Items)
			more = len(page.Items) > 0 && offset < page.Total
		}
	}
}

// keyList is a page of keys. Total counts those on all pages.
type keyList struct {
	Items []Key `json:"items"`
	Total int   `json:"total"`
}

func (c *Client) keyPage(ctx context.Context, filter KeyFilter, offset int) (*keyList, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for name, value := range map[string]string{
		"subject": filter.Subject, "name": filter.Name, "search": filter.Search,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if offset > 0 {
		query.Set("offset", strconv.Itoa(offset))
	}
	return keyed[keyList](ctx, c, &Request{Method: http.MethodGet, Path: keysPath, Query: query})
}

// Accepted reports whether the server accepts the client's key. Me does not show that for the key of an account or
// an integration, which has no username.
func (c *Client) Accepted(ctx context.Context) (bool, error) {
	_, err := c.Do(ctx, &Request{Method: http.MethodGet, Path: keysPath, Query: url.Values{"limit": {"1"}}})
	switch StatusOf(err) {
	case http.StatusUnauthorized:
		return false, nil
	case http.StatusForbidden:
		// The key may not list keys.
		return true, nil
	}
	return err == nil, err
}

// GetKey returns one key.
func (c *Client) GetKey(ctx context.Context, id string) (*Key, error) {
	return keyed[Key](ctx, c, &Request{Method: http.MethodGet, Path: keyPath(id)})
}

// CreateKey creates a key of a subject such as Account/ci. The subject "" is the caller.
func (c *Client) CreateKey(ctx context.Context, subject string, fields KeyFields) (*Key, error) {
	path, err := subjectPath(subject)
	if err != nil {
		return nil, err
	}
	return keyed[Key](ctx, c, &Request{Method: http.MethodPost, Path: path, Body: fields, Header: once()})
}

// ChangeKey changes the given fields of a key.
func (c *Client) ChangeKey(ctx context.Context, id string, fields KeyFields) (*Key, error) {
	return keyed[Key](ctx, c, &Request{Method: http.MethodPatch, Path: keyPath(id), Body: fields})
}

// RotateKey gives a key a new token, or asks the operator to. Fields may be nil.
func (c *Client) RotateKey(ctx context.Context, id string, fields KeyFields) (*Key, error) {
	r := &Request{Method: http.MethodPost, Path: keyPath(id) + "/rotate"}
	if len(fields) > 0 {
		r.Body = fields
	}
	return keyed[Key](ctx, c, r)
}

// DeleteKey deletes a key.
func (c *Client) DeleteKey(ctx context.Context, id string) error {
	_, err := c.Do(ctx, &Request{Method: http.MethodDelete, Path: keyPath(id)})
	return err
}

// Catalog is what keys can be given.
type Catalog struct {
	Actions []string `json:"actions"`
	Scopes  []string `json:"scopes"`
	Roles   []Role   `json:"roles"`
}

// Role is an AccessRole.
type Role struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Permissions json.RawMessage `json:"permissions"`
}

// Catalog returns the actions, scopes and roles known to the server.
func (c *Client) Catalog(ctx context.Context) (*Catalog, error) {
	return keyed[Catalog](ctx, c, &Request{Method: http.MethodGet, Path: "/apiv1/permissions/catalog"})
}

// subjectKinds maps the kinds of subjects to their paths.
var subjectKinds = map[string]string{"User": "users", "Account": "accounts", "Integration": "integrations"}

// CheckSubject reports whether a subject has the form User/alice, Account/ci or Integration/github.
func CheckSubject(subject string) error {
	_, err := subjectPath(subject)
	return err
}

func subjectPath(subject string) (string, error) {
	if subject == "" {
		return "/apiv1/users/me/apikeys", nil
	}
	kind, name, found := strings.Cut(subject, "/")
	folder, known := subjectKinds[kind]
	if !found || !known || name == "" {
		return "", fmt.Errorf("subject %q must be User/<name>, Account/<name> or Integration/<name>", subject)
	}
	return "/apiv1/" + folder + "/" + url.PathEscape(name) + "/apikeys", nil
}
