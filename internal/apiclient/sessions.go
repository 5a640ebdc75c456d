package apiclient

import (
	"context"
	"net/http"
	"net/url"
)

// Me is who is calling.
type Me struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	IsAdmin  bool   `json:"is_admin"`
}

// Me returns who the client's key speaks for. Without a valid key the username is empty.
func (c *Client) Me(ctx context.Context) (*Me, error) {
	me := &Me{}
	return me, c.call(ctx, &Request{Method: http.MethodGet, Path: "/api/auth/me"}, me)
}

// Login checks a username and a key.
func (c *Client) Login(ctx context.Context, username, key string) (*Me, error) {
	me := &Me{}
	body := struct {
		Username string `json:"username"`
		APIKey   string `json:"api_key"`
	}{username, key}
	return me, c.call(ctx, &Request{Method: http.MethodPost, Path: "/api/auth/login", Body: body}, me)
}

// Logout ends the session, if there is one.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.Do(ctx, &Request{Method: http.MethodPost, Path: "/api/auth/logout"})
	return err
}

// Introspection says whether a key is valid, and whose it is (RFC 7662). All other fields are empty for a key that is
// not.
type Introspection struct {
	Active   bool   `json:"active"`
	Scope    string `json:"scope,omitempty"`
	Username string `json:"username,omitempty"`
	Subject  string `json:"sub,omitempty"`
	// Exp is the end of the key in Unix seconds, or 0.
	Exp   int64  `json:"exp,omitempty"`
	KeyID string `json:"key_id,omitempty"`
	Admin bool   `json:"admin,omitempty"`
}

// Introspect asks about a key.
func (c *Client) Introspect(ctx context.Context, key string) (*Introspection, error) {
	found := &Introspection{}
	r := &Request{Method: http.MethodPost, Path: "/introspect", Body: url.Values{"token": {key}}}
	return found, c.call(ctx, r, found)
}
