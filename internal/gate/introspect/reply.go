package introspect

import (
	"strings"

	"keywright.dev/keywright/internal/gate"
)

// inactive is all that is said of a key that is not valid, whatever it is that it lacks (RFC 7662, section 2.2).
type inactive struct {
	Active bool `json:"active"`
}

// active is what is known of a key that is valid. Names up to Exp are those of RFC 7662.
type active struct {
	Active bool `json:"active"`
	// Scope are scopes with spaces between. Empty: left out, for it may not be (RFC 6749, section 3.3).
	Scope string `json:"scope,omitempty"`
	// Username is left out where the subject is no user.
	Username  string `json:"username,omitempty"`
	Subject   string `json:"sub"`
	TokenType string `json:"token_type"`
	// Exp is in seconds since 1970: the last whole one at which the key is valid, or before it. Left out: it has no end.
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

// invalidRequest is the error of RFC 6749, section 5.2. Its description never repeats anything of the request: what is
// not understood may well be a key.
type invalidRequest struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}
