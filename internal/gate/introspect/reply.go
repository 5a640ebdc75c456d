package introspect

import (
	"strings"

	"keywright.dev/keywright/internal/gate"
)

// inactive is the reply for every key that is not valid. It does not reveal the reason (RFC 7662, section 2.2).
type inactive struct {
	Active bool `json:"active"`
}

// active is the reply for a valid key. Fields up to Exp are those of RFC 7662.
type active struct {
	Active bool `json:"active"`
	// Scope is the scopes separated by spaces. It is left out rather than empty (RFC 6749, section 3.3).
	Scope string `json:"scope,omitempty"`
	// Username is left out unless the subject is a user.
	Username  string `json:"username,omitempty"`
	Subject   string `json:"sub"`
	TokenType string `json:"token_type"`
	// Exp is the end of the key in Unix seconds, rounded down. A key without an end has none.
	Exp *int64 `json:"exp,omitempty"`

	KeyID string `json:"key_id"`
	Admin bool   `json:"admin"`
}

func newActive(c *gate.Caller) active {
	reply := active{
		Active: true, Scope: strings.Join(c.Scopes, " "), Username: c.Username, Subject: c.Subject, TokenType: "Bearer",
		KeyID: c.KeyID, Admin: c.Admin,
	}
	if ends := c.Ends(); !ends.IsZero() {
		exp := ends.Unix()
		reply.Exp = &exp
	}
	return reply
}

// invalidRequest is the error of RFC 6749, section 5.2. Its description never repeats a part of the request, which may
// be a key.
type invalidRequest struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}
