package apikeys

import (
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
)

// Actions that callers need a right for.
const (
	ActionRead  = "apikeys.read"
	ActionWrite = "apikeys.write"
)

// NotPermitted is the text for a caller without the right (docs/compatibility.md, "API keys").
const NotPermitted = "API key lacks required permission"

var errUnauthorized = &manage.Error{Kind: manage.Unauthorized, Text: "invalid token"}

// authorize refuses a caller without the right to an action on a subject's keys. Keys of others need an admin.
func (s *Service) authorize(caller manage.Caller, subject v1alpha1.Subject, action string) error {
	switch {
	case !isProven(caller):
		return errUnauthorized
	case !owns(caller, subject) && !s.administers(caller),
		!s.isAllowed(caller, subject, action):
		return manage.Errorf(manage.Forbidden, NotPermitted)
	}
	return nil
}

// isAllowed reports whether the caller holds the right. A key needs the right to manage keys, so that a leaked
// key cannot create others. A caller named by a trusted proxy has no key that could hold the right. Such a caller
// may manage its own keys, unless a role denies it.
func (s *Service) isAllowed(caller manage.Caller, subject v1alpha1.Subject, action string) bool {
	r := access.Request{Action: action, Resource: resourceOf(subject)}
	if caller.Credential == gate.CredentialProxy && owns(caller, subject) {
		return !s.Verifier.UserIsDenied(caller.Username, r)
	}
	return s.Gate.May(caller.Caller, r)
}

// isProven reports whether the identity of the caller is proven. A saved name is not enough, even where the
// gate trusts it: a key outlives the network that made the name trustworthy.
func isProven(caller manage.Caller) bool {
	if caller.Caller == nil {
		return false
	}
	switch caller.Credential {
	case gate.CredentialSession, gate.CredentialKey, gate.CredentialProxy:
		return true
	}
	return false
}

func owns(caller manage.Caller, subject v1alpha1.Subject) bool {
	return subject.Kind == v1alpha1.SubjectUser && subject.Name != "" && subject.Name == caller.Username
}

// administers reports whether the caller speaks as an admin by a key or session. An APIKey of an admin does, as
// far as its rights go; a name from a proxy does not.
func (s *Service) administers(caller manage.Caller) bool {
	return caller.HasKey() && (caller.Admin || caller.Username != "" && s.Verifier.UserIsAdmin(caller.Username))
}

// resourceOf returns user:alice, or * for all subjects of the kind.
func resourceOf(subject v1alpha1.Subject) string {
	if subject.Name == "" {
		return access.Any
	}
	return strings.ToLower(string(subject.Kind)) + ":" + subject.Name
}

// checkGrant refuses to give a key rights that the caller does not hold.
func (s *Service) checkGrant(caller manage.Caller, given *access.Rights, subject v1alpha1.Subject) error {
	to := ""
	if subject.Kind == v1alpha1.SubjectUser {
		to = subject.Name
	}
	if !s.Gate.MayDelegate(caller.Caller, given, to) {
		return manage.Errorf(manage.Forbidden, NotPermitted+": a caller can only give what it holds")
	}
	return nil
}

// checkEndWithin refuses an end, or a missing end (zero), later than the end of the caller's own key. Otherwise
// a key with an end could replace itself in time. An admin's own key has no such bound.
func checkEndWithin(caller manage.Caller, end time.Time) error {
	if !caller.HasKey() || caller.Admin || !outlasts(end, caller.Ends()) {
		return nil
	}
	return manage.Errorf(manage.Forbidden, NotPermitted+
		": a caller can only give what it holds: the end must be no later than the end of the caller's key, %s",
		caller.Ends().Format(time.RFC3339))
}

// outlasts reports whether end is later than other. The zero time means that there is no end.
func outlasts(end, other time.Time) bool {
	return !other.IsZero() && (end.IsZero() || end.After(other))
}

func (s *Service) checkMayOwnKeys(subject v1alpha1.Subject) error {
	if subject.Kind == v1alpha1.SubjectUser && !s.Verifier.MayOwnKeys(subject.Name) {
		return manage.Errorf(manage.Forbidden,
			"User %s may not own API keys: every AccessRoleBinding that lists the user says apiKeys: Denied", subject.Name)
	}
	return nil
}
