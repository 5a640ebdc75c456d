package apiclient

import (
	"context"
	"net/http"
	"net/url"
)

// User is an AdminUser or a seen user. Times are as the server sent them (RFC 3339), and nil if they never happened.
type User struct {
	ID         string  `json:"id"`
	Username   string  `json:"username"`
	Role       string  `json:"role"`
	CreatedAt  string  `json:"created_at"`
	LastSeen   *string `json:"last_seen"`
	Source     string  `json:"source"`
	KeyPrefix  *string `json:"key_prefix"`
	KeyID      *string `json:"key_id"`
	LastUsedAt *string `json:"last_used_at"`
	Enabled    bool    `json:"enabled"`
}

// Reference names an object on the cluster.
type Reference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// NewUser is a created admin, with the key.
type NewUser struct {
	Username string `json:"username"`
	APIKey   string `json:"api_key"`
	Role     string `json:"role"`
}

// RotatedUser has the new key, or the Secret in which the operator delivers it.
type RotatedUser struct {
	Username  string     `json:"username"`
	NewAPIKey string     `json:"new_api_key,omitempty"`
	Secret    *Reference `json:"secret,omitempty"`
}

// ChangedRole has the key of a promoted user.
type ChangedRole struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	APIKey   string `json:"api_key,omitempty"`
}

// EnabledUser reports whether a user's keys are accepted.
type EnabledUser struct {
	Username string `json:"username"`
	Enabled  bool   `json:"enabled"`
}

const usersPath = "/api/admin/users"

func userPath(username string) string { return usersPath + "/" + url.PathEscape(username) }

// Users returns all users, newest first.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var reply struct {
		Users []User `json:"users"`
	}
	return reply.Users, c.call(ctx, &Request{Method: http.MethodGet, Path: usersPath}, &reply)
}

// CreateUser creates an admin.
func (c *Client) CreateUser(ctx context.Context, username string) (*NewUser, error) {
	made := &NewUser{}
	body := map[string]string{"username": username}
	return made, c.call(ctx, &Request{Method: http.MethodPost, Path: usersPath, Body: body, Header: once()}, made)
}

// DeleteUser deletes an admin; with forget also a plain or seen user.
func (c *Client) DeleteUser(ctx context.Context, username string, forget bool) error {
	r := &Request{Method: http.MethodDelete, Path: userPath(username)}
	if forget {
		r.Query = url.Values{"forget": {"true"}}
	}
	_, err := c.Do(ctx, r)
	return err
}

// ChangeRole promotes or demotes a user.
func (c *Client) ChangeRole(ctx context.Context, username, role string) (*ChangedRole, error) {
	changed := &ChangedRole{}
	body := map[string]string{"role": role}
	return changed, c.call(ctx, &Request{Method: http.MethodPut, Path: userPath(username) + "/role", Body: body}, changed)
}

// EnableUser makes the keys of a user accepted, or refused.
func (c *Client) EnableUser(ctx context.Context, username string, enabled bool) (*EnabledUser, error) {
	changed := &EnabledUser{}
	body := map[string]bool{"enabled": enabled}
	return changed, c.call(ctx, &Request{Method: http.MethodPatch, Path: userPath(username), Body: body}, changed)
}

// RotateUser gives an admin a new key.
func (c *Client) RotateUser(ctx context.Context, username string) (*RotatedUser, error) {
	rotated := &RotatedUser{}
	return rotated, c.call(ctx, &Request{Method: http.MethodPost, Path: userPath(username) + "/rotate-key"}, rotated)
}
