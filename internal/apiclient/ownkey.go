package apiclient

import (
	"context"
	"encoding/json"
	"net/http"
)

// OwnKey describes the client's key. Times are in RFC 3339, as the server sent them; an absent one is nil.
type OwnKey struct {
	// Kind is APIKey, AdminUser or Bootstrap. The bootstrap key has no ID and no Object.
	Kind        string  `json:"kind"`
	ID          *string `json:"id"`
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Subject     string  `json:"subject"`
	IsAdmin     bool    `json:"is_admin"`
	KeyID       string  `json:"key_id"`
	KeyPrefix   *string `json:"key_prefix"`
	// Current is false for a key that another has succeeded.
	Current      bool            `json:"current"`
	Scopes       []string        `json:"scopes"`
	Roles        []string        `json:"roles"`
	Policy       json.RawMessage `json:"policy"`
	Budgets      []KeyBudget     `json:"budgets"`
	CreatedAt    *string         `json:"created_at"`
	IssuedAt     *string         `json:"issued_at"`
	ExpiresAt    *string         `json:"expires_at"`
	ExpiresFrom  *string         `json:"expires_from"`
	LastUsedAt   *string         `json:"last_used_at"`
	LastUsedFrom *string         `json:"last_used_from"`
	Source       string          `json:"source"`
	Object       *Reference      `json:"object"`
	Secret       *Reference      `json:"secret"`
	// Token is the new key, and PreviousEndsAt when the former one ends or has ended, only in the reply that rotates it.
	Token          string  `json:"token,omitempty"`
	PreviousEndsAt *string `json:"previous_ends_at,omitempty"`
}

const ownKeyPath = "/apiv1/self"

// OwnKey describes the client's key.
func (c *Client) OwnKey(ctx context.Context) (*OwnKey, error) {
	return keyed[OwnKey](ctx, c, &Request{Method: http.MethodGet, Path: ownKeyPath})
}

// RotateOwnKey replaces the client's key. The client keeps the former one. Fields may be nil.
func (c *Client) RotateOwnKey(ctx context.Context, fields KeyFields) (*OwnKey, error) {
	r := &Request{Method: http.MethodPost, Path: ownKeyPath + "/rotate"}
	if len(fields) > 0 {
		r.Body = fields
	}
	return keyed[OwnKey](ctx, c, r)
}
