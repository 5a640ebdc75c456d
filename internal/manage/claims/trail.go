package claims

import (
	"context"
	"errors"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/claims/link"
)

func entryOf(caller manage.Caller, action string) *audit.Entry {
	return &audit.Entry{
		Actor: caller.Subject, KeyID: caller.KeyID, From: caller.From, Action: action, Reason: caller.Reason,
	}
}

// target names what a link hands over.
func target(l *link.Link) string {
	if l.Kind.IsOfKey() {
		return "APIKey/" + l.Namespace + "/" + l.Object
	}
	return l.Subject
}

// detail names the link, and whom its API key speaks as.
func detail(l *link.Link) string {
	text := "link " + l.ID
	if l.Kind.IsOfKey() {
		text = l.Subject + ", " + text
	}
	if l.Kind.Rotates() {
		text += ", rotation"
	}
	return text
}

// record writes the audit entry of an operation and returns err. A refused caller without a key leaves no entry, unless
// it tried a token, or anonymous requests could fill the audit trail.
func (s *Service) record(ctx context.Context, e *audit.Entry, err error) error {
	if e.KeyID == "" && e.Action != audit.ClaimUse && manage.Is(err, manage.Forbidden) {
		return err
	}
	e.Outcome = manage.Outcome(err)
	if err != nil {
		if e.Detail != "" {
			e.Detail += ": "
		}
		e.Detail += err.Error()
		if cause := errors.Unwrap(err); cause != nil && e.Outcome == audit.Refused {
			e.Detail += " (" + cause.Error() + ")"
		}
	}
	s.Trail.Record(ctx, *e)
	return err
}
