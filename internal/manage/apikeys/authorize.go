package apikeys

import (
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Actions that callers need a right for.
const (
	ActionRead  = "apikeys.read"
	ActionWrite = "apikeys.write"
	// ActionRenewSelf lets a key rotate itself, and start its ttl again. It needs neither an admin nor ActionWrite.
	ActionRenewSelf = "apikeys.renew-self"
)

// NotPermitted is the text for a caller without the right (docs/compatibility.md, "API keys").
const NotPermitted = manage.NotPermitted

var errUnauthorized = &manage.Error{Kind: manage.Unauthorized, Text: "invalid token"}

// authorize refuses a caller without the right to an action on a subject's keys. Keys of others need an admin.
func (s *Service) authorize(caller manage.Caller, subject v1alpha1.Subject, action string) error {
	switch {
	case !isProven(caller):
		return errUnauthorized
	case !owns(caller, subject) && !s.administers(caller):
		return manage.Errorf(manage.Forbidden, NotPermitted)
	case !s.isAllowed(caller, subject, action):
		return lacks(action)
	}
	return nil
}

func lacks(action string) error {
	return &manage.Error{Kind: manage.Forbidden, Text: NotPermitted, Right: action}
}

// MayRead reports whether the caller may list at least its own keys.
func MayRead(g *gate.Gate, caller manage.Caller) bool {
	s := New(Config{Gate: g, Verifier: g.Verifier})
	return s.authorize(caller, s.Visible(caller), ActionRead) == nil
}

// isAllowed reports whether the caller holds the right. A key needs the right to manage keys, so that a leaked
// key cannot create others. A caller named by a trusted proxy has no key that could hold the right. Such a caller
// may manage its own keys, unless a role denies it.
func (s *Service) isAllowed(caller manage.Caller, subject v1alpha1.Subject, action string) bool {
	r := access.Request{Action: action, Resource: resourceOf(subject), OfUser: subject.Kind == v1alpha1.SubjectUser}
	if caller.Credential == gate.CredentialProxy && owns(caller, subject) {
		return !s.Verifier.UserIsDenied(caller.Username, r)
	}
	return s.Gate.May(caller.Caller, r)
}

// isProven reports whether the identity of the caller is proven. A saved name is not enough, even where the
// gate trusts it: a key outlives the network that made the name trustworthy.
func isProven(caller manage.Caller) bool { return caller.Caller != nil && caller.IsProven() }

func owns(caller manage.Caller, subject v1alpha1.Subject) bool {
	return subject.Kind == v1alpha1.SubjectUser && subject.Name != "" && username.Equal(subject.Name, caller.Username)
}

// spelled returns a user in the spelling of its AdminUser, if there is one: new keys have it.
func (s *Service) spelled(subject v1alpha1.Subject) v1alpha1.Subject {
	if subject.Kind != v1alpha1.SubjectUser {
		return subject
	}
	if spelling := s.Verifier.CanonicalName(subject.Name); spelling != "" {
		subject.Name = spelling
	}
	return subject
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

// mayRenew reports whether the caller's key is of the object with this subject and id, and may renew itself. An
// overlapping key may not: its end is near, and a renewal would replace its successor.
func (s *Service) mayRenew(caller manage.Caller, subject v1alpha1.Subject, id string) bool {
	return isProven(caller) && caller.Digest() != nil && caller.KeyObjectUID() == id &&
		(caller.Subject == subject.String() || owns(caller, subject)) &&
		s.Gate.May(caller.Caller, access.Request{Action: ActionRenewSelf, Resource: resourceOf(subject)})
}

// checkIssue refuses to leave a key as it is now if it exceeds the caller. issued is when its newest key was or will be
// issued. Of a key that may be issued again without the caller, by the operator or by itself, only expiresAt is an end.
func (op *operation) checkIssue(k *v1alpha1.APIKey, issued time.Time) error {
	given := convert.Rights(k)
	i := &manage.Issue{Rights: &given, Ends: op.endIf(k, issued), Renews: op.renews}
	if k.Spec.Subject.Kind == v1alpha1.SubjectUser {
		i.User = k.Spec.Subject.Name
	}
	renewal := access.Request{Action: ActionRenewSelf, Resource: resourceOf(k.Spec.Subject)}
	switch {
	case k.Spec.Delivery != v1alpha1.DeliveryResponse:
		i.Ends, i.Hint = convert.Instant(k.Spec.ExpiresAt), ": a ttl sets no end for a key in a Secret"
	case op.Verifier.Allows(&given, renewal):
		i.Ends, i.Hint = convert.Instant(k.Spec.ExpiresAt), ": a ttl sets no end for a key that holds "+ActionRenewSelf
	case op.action == audit.KeyRotate && op.caller.KeyObjectUID() == string(k.UID):
		i.Hint = ": a key needs " + ActionRenewSelf + " to renew itself"
	}
	return manage.CheckIssue(op.Gate, op.caller, i)
}

func (s *Service) checkMayOwnKeys(subject v1alpha1.Subject) error {
	if subject.Kind == v1alpha1.SubjectUser && !s.Verifier.MayOwnKeys(subject.Name) {
		return manage.Errorf(manage.Forbidden,
			"User %s may not own API keys: every AccessRoleBinding that lists the user says apiKeys: Denied", subject.Name)
	}
	return nil
}
