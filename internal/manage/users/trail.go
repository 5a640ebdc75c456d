package users

import (
	"context"
	"strings"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// record writes the audit entry of an operation. A refused caller without a key leaves no entry, or anonymous
// requests could fill the audit trail.
func (s *Service) record(ctx context.Context, caller manage.Caller, action, name string, err error) {
	s.recordDetail(ctx, caller, action, name, "", err)
}

// recordDetail is record with the detail of an operation that was done.
func (s *Service) recordDetail(ctx context.Context, caller manage.Caller, action, name, detail string, err error) {
	if isForbidden(err) && caller.KeyID == "" {
		return
	}
	e := audit.Entry{
		Actor: caller.Subject, KeyID: caller.KeyID, From: caller.From,
		Action: action, Target: "User/" + s.redact(name), Outcome: manage.Outcome(err),
		Detail: detail, Reason: caller.Reason,
	}
	if err != nil {
		e.Detail = s.withoutKey(err.Error(), name)
	}
	s.Trail.Record(ctx, e)
}

// redact returns a name as it may be recorded: a key that was sent in place of a name is hidden.
func (s *Service) redact(name string) string { return keyformat.Redact(name, s.Verifier.IsKey) }

// withoutKey hides a key in an error text. The text may repeat the name, or the name of a field, that was sent.
func (s *Service) withoutKey(text, name string) string {
	if field, problem, found := strings.Cut(text, ": "); found && s.isKey(field) {
		return keyformat.Redacted + ": " + problem
	}
	if !s.isKey(name) {
		return text
	}
	trimmed := strings.TrimSpace(name)
	return strings.NewReplacer(
		trimmed, keyformat.Redacted, shown(trimmed), keyformat.Redacted, shown(name), keyformat.Redacted,
	).Replace(text)
}

func (s *Service) isKey(text string) bool { return keyformat.IsKey(text, s.Verifier.IsKey) }

// event writes an event on the object.
func (s *Service) event(caller manage.Caller, o objects.Object, reason, what string) {
	s.Store.Event(o, reason, what+" by "+caller.Subject+" through the API"+caller.Because())
}
