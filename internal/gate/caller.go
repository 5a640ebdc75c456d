package gate

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// CredentialKind is the kind of credential that identified a caller.
type CredentialKind uint8

// Kinds of credential, in the order in which they count (docs/compatibility.md, "Who is calling").
const (
	// CredentialNone: the caller is anonymous.
	CredentialNone CredentialKind = iota
	// CredentialSession is a session cookie.
	CredentialSession
	// CredentialKey is a key, the bootstrap key included.
	CredentialKey
	// CredentialProxy is a name that a trusted proxy sent.
	CredentialProxy
	// CredentialSavedName is the saved name, which is unverified and counts because TRUST_USERNAMES is set.
	CredentialSavedName
	// CredentialDisplayName is the saved name without TRUST_USERNAMES: pages show it, and it holds no rights.
	CredentialDisplayName
)

// String returns the kind in snake_case.
func (k CredentialKind) String() string {
	return [...]string{"none", "session", "key", "proxy", "saved_name", "display_name"}[k]
}

// Caller is who sent a request. The zero Caller is anonymous.
type Caller struct {
	Credential CredentialKind
	// Username is empty unless the subject is a user. It has the spelling of the user's AdminUser, if there is one.
	Username string
	// Subject is <kind>/<name>: User/alice.
	Subject string
	// Admin is true for an admin's own key or session, and for the bootstrap key.
	Admin bool
	// KeyID is the id of the key, as in status. Empty without a key.
	KeyID string
	// Scopes are the key's scopes that the caller may use on every resource.
	Scopes []string

	verdict verify.Verdict
}

// HasKey reports whether the caller presented a key, or a session that was begun with one.
func (c *Caller) HasKey() bool {
	return c.Credential == CredentialSession || c.Credential == CredentialKey
}

// lacksRole reports whether the caller's key names a missing role: then the caller may do nothing.
func (c *Caller) lacksRole() bool { return c.verdict.Reason == verify.UnknownRole }

// Digest returns the digest of the caller's key, to begin a session with. It returns nil without a key, and for a key
// that another has succeeded: an overlapping key carries no session.
func (c *Caller) Digest() *pepper.Digest {
	if !c.HasKey() || !c.verdict.Current() {
		return nil
	}
	return c.verdict.Digest()
}

// Ends returns the end of the caller's key as far as it is known now, or zero for a key without an end.
func (c *Caller) Ends() time.Time { return c.verdict.Ends() }

// Accepts reports whether the caller's key is still accepted, as it was when the caller was identified. It returns true
// for a caller without a key.
func (g *Gate) Accepts(c *Caller) bool {
	digest := c.verdict.Digest()
	return !c.HasKey() || digest == nil || g.Verifier.VerifyDigest(digest, g.Now()).Accepted()
}

// KeyObjectUID returns the uid of the key object of the caller's key. It is empty without a key.
func (c *Caller) KeyObjectUID() string {
	if !c.HasKey() {
		return ""
	}
	return c.verdict.UID()
}

// KeyObject returns the key object of the caller's key. It is zero without a key, and for the bootstrap key.
func (c *Caller) KeyObject() verify.ID {
	if c.KeyObjectUID() == "" {
		return verify.ID{}
	}
	return c.verdict.ID()
}

// KeyRoles returns the AccessRoles that the caller's key names.
func (c *Caller) KeyRoles() []string {
	if rights := c.verdict.Rights(); c.HasKey() && rights != nil {
		return slices.Clone(rights.Roles)
	}
	return nil
}

// IsProven reports whether the identity of the caller is proven. A saved name is not enough, even where the gate trusts
// it.
func (c *Caller) IsProven() bool { return c.HasKey() || c.Credential == CredentialProxy }

// Headers that describe the caller to the app.
const (
	HeaderUser    = "X-Auth-User"
	HeaderSubject = "X-Auth-Subject"
	HeaderKeyID   = "X-Auth-Key-Id"
	HeaderScopes  = "X-Auth-Scopes"
	HeaderAdmin   = "X-Auth-Admin"
)

// IdentityHeaders lists the headers that describe the caller, in the order of Identity.
var IdentityHeaders = [...]string{HeaderUser, HeaderSubject, HeaderKeyID, HeaderScopes, HeaderAdmin}

// Identity returns the values of IdentityHeaders. For an anonymous caller all are empty but the last, which is "false".
func (c *Caller) Identity() [len(IdentityHeaders)]string {
	return [...]string{c.Username, c.Subject, c.KeyID, strings.Join(c.Scopes, " "), strconv.FormatBool(c.Admin)}
}
