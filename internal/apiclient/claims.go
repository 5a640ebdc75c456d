package apiclient

import (
	"context"
	"net/http"
	"net/url"
)

// Claim is a claim link, without its token.
type Claim struct {
	ID        string    `json:"id"`
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject"`
	Name      *string   `json:"name"`
	Object    Reference `json:"object"`
	Creator   string    `json:"creator"`
	CreatedAt string    `json:"created_at"`
	EndsAt    string    `json:"ends_at"`
	State     string    `json:"state"`
	EndedAt   *string   `json:"ended_at"`
}

// WantedClaim is a link to create: to an admin with Username, or to an API key of Subject; or to another key of an
// admin with Username, or of the API key with ID.
type WantedClaim struct {
	Kind     string    `json:"kind"`
	Username string    `json:"username,omitempty"`
	Subject  string    `json:"subject,omitempty"`
	Key      KeyFields `json:"key,omitempty"`
	ID       string    `json:"id,omitempty"`
	Rotation KeyFields `json:"rotation,omitempty"`
	// ExpiresIn is how long the link can be used, in seconds. 0: the server's default.
	ExpiresIn int64 `json:"expires_in_seconds,omitempty"`
}

// NewClaim is a new link. URL is not from the server: it is the address to send.
type NewClaim struct {
	Claim Claim  `json:"claim"`
	Token string `json:"token"`
	Path  string `json:"path"`
	URL   string `json:"url"`
}

// ClaimedKey is the result of a claim.
type ClaimedKey struct {
	Kind      string  `json:"kind"`
	Subject   string  `json:"subject"`
	ID        *string `json:"id"`
	Name      *string `json:"name"`
	APIKey    string  `json:"api_key"`
	ExpiresAt *string `json:"expires_at"`
	// PreviousEndsAt is when the API key that a rotation has replaced ends or has ended.
	PreviousEndsAt *string `json:"previous_ends_at"`
}

const claimsPath = "/api/admin/claims"

// Claims returns the claim links that the caller may see, the open ones first.
func (c *Client) Claims(ctx context.Context) ([]Claim, error) {
	var reply struct {
		Claims []Claim `json:"claims"`
	}
	return reply.Claims, c.call(ctx, &Request{Method: http.MethodGet, Path: claimsPath}, &reply)
}

// CreateClaim creates an admin or an API key without a key, and the link that issues the key, or a link that rotates
// one that exists.
func (c *Client) CreateClaim(ctx context.Context, wanted *WantedClaim) (*NewClaim, error) {
	made := &NewClaim{}
	r := &Request{Method: http.MethodPost, Path: claimsPath, Body: wanted, Header: once()}
	err := c.call(ctx, r, made)
	made.URL = c.URL.String() + made.Path
	return made, err
}

// WithdrawClaim ends an open link.
func (c *Client) WithdrawClaim(ctx context.Context, id string) error {
	_, err := c.Do(ctx, &Request{Method: http.MethodDelete, Path: claimsPath + "/" + url.PathEscape(id)})
	return err
}

// Claim uses a link. It needs no key.
func (c *Client) Claim(ctx context.Context, token string) (*ClaimedKey, error) {
	claimed := &ClaimedKey{}
	body := map[string]string{"token": token}
	return claimed, c.call(ctx, &Request{Method: http.MethodPost, Path: "/api/claim", Body: body}, claimed)
}
