package apikeys

import (
	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
)

// Keys can be named by their id alone. These functions find the subject that the other operations take.

// SubjectOf returns the subject of the key with an id, if the caller may manage the keys of that subject. Otherwise it
// returns the caller's own: there, the key is not found. So a caller cannot find out which ids exist.
func (s *Service) SubjectOf(caller manage.Caller, id string) v1alpha1.Subject {
	own := ownSubject(caller)
	if !isProven(caller) {
		return own
	}
	_, text, _ := s.Verifier.APIKey(id)
	subject, known := v1alpha1.ParseSubject(text)
	if !known || subject != own && !owns(caller, subject) && !s.administers(caller) {
		return own
	}
	return subject
}

// Visible returns the subject whose keys a list without a subject shows: every subject for an admin who may read all
// keys, and the caller for others.
func (s *Service) Visible(caller manage.Caller) v1alpha1.Subject {
	every := v1alpha1.Subject{}
	if isProven(caller) && s.administers(caller) && s.isAllowed(caller, every, ActionRead) {
		return every
	}
	return ownSubject(caller)
}

// Own returns the subject that the caller speaks as.
func (*Service) Own(caller manage.Caller) v1alpha1.Subject { return ownSubject(caller) }

// ownSubject returns the subject that the caller speaks as. For a user without a key it has the username.
func ownSubject(caller manage.Caller) v1alpha1.Subject {
	if caller.Caller == nil {
		return v1alpha1.Subject{Kind: v1alpha1.SubjectUser}
	}
	if subject, known := v1alpha1.ParseSubject(caller.Subject); known {
		return subject
	}
	return v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: caller.Username}
}

// ParseSubject parses User/alice, Account/ci or Integration/github.
func ParseSubject(text string) (v1alpha1.Subject, error) {
	subject, known := v1alpha1.ParseSubject(text)
	if !known {
		return subject, manage.InvalidField("subject", "must be User/<name>, Account/<name> or Integration/<name>")
	}
	return subject, nil
}
