package apiclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// AuditEntry is an operation of management, or several with the same outcome.
type AuditEntry struct {
	ID int64 `json:"id"`
	// At is when it was, as the server sent it (RFC 3339).
	At string `json:"at"`
	// Actor is a subject such as User/alice, or "" for an anonymous caller. KeyID is the id of the actor's key, and From
	// the address.
	Actor   string `json:"actor"`
	KeyID   string `json:"key_id"`
	From    string `json:"from"`
	Action  string `json:"action"`
	Target  string `json:"target"`
	Outcome string `json:"outcome"`
	Detail  string `json:"detail"`
	Reason  string `json:"reason"`
	Count   int    `json:"count"`
}

// AuditFilter chooses entries of the audit trail. Empty fields match everything.
type AuditFilter struct {
	// Actor is a subject such as User/alice, Target one, or APIKey/<namespace>/<name>.
	Actor, Target string
	// Limit is how many entries are returned at most: 0 is 100, and the server allows 1000.
	Limit int
}

// Audit returns the newest entries of the audit trail that match, newest first.
func (c *Client) Audit(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	query := url.Values{}
	for name, value := range map[string]string{"actor": f.Actor, "target": f.Target} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	var reply struct {
		Entries []AuditEntry `json:"entries"`
	}
	err := c.call(ctx, &Request{Method: http.MethodGet, Path: "/api/admin/audit", Query: query}, &reply)
	return reply.Entries, err
}
