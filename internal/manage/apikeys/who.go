package apikeys

import (
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
)

// Actions that it takes.
const (
	ActionRead  = "apikeys.read"
	ActionWrite = "apikeys.write"
)

// NotPermitted is what a caller reads who may not (COMPAT D).
const NotPermitted = "API key lacks required permission"

// mayAsk says whether a caller may do this with a subject's keys: those of others take an admin.
func (s *Service) mayAsk(by By, subject v1alpha1.Subject, action string) error {
	switch {
	case !by.isKnown():
		return &Error{Kind: Unauthorized, Text: "invalid token"}
	case !by.owns(subject) && !s.administers(by),
		!s.isAllowed(by, subject, action):
		return &Error{Kind: Forbidden, Text: NotPermitted}
	}
	return nil
}

// isAllowed: a key takes the right to manage keys, so that one that leaks makes no others. A person whom a proxy names
// comes with no key that could, and needs none for their own keys. A role may deny it to them all the same.
func (s *Service) isAllowed(by By, subject v1alpha1.Subject, action string) bool {
	r := access.Request{Action: action, Resource: resourceOf(subject)}
	if by.Credential == gate.CredentialProxy && by.owns(subject) {
		return !s.Verifier.UserIsDenied(by.Username, r)
	}
	return s.Gate.May(by.Caller, r)
}

// isKnown: a name that is only claimed is nobody here, even where it is believed. A key outlasts the network in which it was.
func (b By) isKnown() bool {
	if b.Caller == nil {
		return false
	}
	switch b.Credential {
	case gate.CredentialSession, gate.CredentialKey, gate.CredentialProxy:
		return true
	}
	return false
}

func (b By) owns(subject v1alpha1.Subject) bool {
	return subject.Kind == v1alpha1.SubjectUser && subject.Name != "" && subject.Name == b.Username
}

// administers: an admin's API key does, as far as it was given the right, and a proxy's word on an admin does not.
func (s *Service) administers(by By) bool {
	return by.HasKey() && (by.Admin || by.Username != "" && s.Verifier.UserIsAdmin(by.Username))
}

// resourceOf is user:alice, and * where it is all subjects of the kind.
func resourceOf(subject v1alpha1.Subject) string {
	if subject.Name == "" {
		return access.Any
	}
	return strings.ToLower(string(subject.Kind)) + ":" + subject.Name
}

// mayGive says whether a caller may hand out what a key is given.
func (s *Service) mayGive(by By, given *access.Given, subject v1alpha1.Subject) error {
	to := ""
	if subject.Kind == v1alpha1.SubjectUser {
		to = subject.Name
	}
	if !s.Gate.MayDelegate(by.Caller, given, to) {
		return &Error{Kind: Forbidden, Text: NotPermitted + ": nobody gives what they do not hold"}
	}
	return nil
}

// mayEnd says whether a caller may leave a key with this end, or with none: zero. What a key makes ends no later than it
// does, or an end would hold nobody who makes another key in time. An admin's own key is no such key.
func mayEnd(by By, end time.Time) error {
	if !by.HasKey() || by.Admin || !outlasts(end, by.Ends()) {
		return nil
	}
	return &Error{Kind: Forbidden, Text: NotPermitted + ": nobody gives what they do not hold: the end must be no later than that of the caller's key, " +
		by.Ends().Format(time.RFC3339)}
}

// outlasts compares ends. Zero is none.
func outlasts(end, other time.Time) bool {
	return !other.IsZero() && (end.IsZero() || end.After(other))
}

func (s *Service) mayOwnKeys(subject v1alpha1.Subject) error {
	if subject.Kind == v1alpha1.SubjectUser && !s.Verifier.MayOwnKeys(subject.Name) {
		return &Error{Kind: Forbidden, Text: "User " + subject.Name + " may not own API keys: every AccessRole that lists them says apiKeys: Denied"}
	}
	return nil
}
