package users

import (
	"context"
	"errors"
	"strings"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
)

// record writes down what came of an action. That nobody in particular may do it is not worth an entry: anybody could
// fill the trail.
func (s *Service) record(ctx context.Context, by By, action, name string, err error) {
	e := audit.Entry{
		Actor: by.Subject, KeyID: by.KeyID, From: by.From, Action: action, Target: "User/" + s.harmless(name), Outcome: audit.Done,
	}
	if err != nil {
		var refusal *Error
		e.Outcome, e.Detail = audit.Failed, s.withoutKey(err.Error(), name)
		if errors.As(err, &refusal) && refusal.Kind != Failed && refusal.Kind != Unavailable {
			e.Outcome = audit.Refused
		}
		if errors.Is(err, errForbidden) && by.KeyID == "" {
			return
		}
	}
	s.Trail.Record(ctx, e)
}

func (s *Service) harmless(name string) string { return keyformat.Redact(name, s.Names.IsKey) }

// withoutKey takes out of a text what it repeats of a name that is a key, or of a field of which that is the name.
func (s *Service) withoutKey(text, name string) string {
	if field, problem, found := strings.Cut(text, ": "); found && s.isKey(field) {
		return keyformat.Redacted + ": " + problem
	}
	if !s.isKey(name) {
		return text
	}
	trimmed := strings.TrimSpace(name)
	return strings.NewReplacer(trimmed, keyformat.Redacted, shown(trimmed), keyformat.Redacted, shown(name), keyformat.Redacted).Replace(text)
}

func (s *Service) isKey(text string) bool { return keyformat.IsKey(text, s.Names.IsKey) }

// tell writes an event on the object.
func (s *Service) tell(by By, o objects.Object, reason, what string) {
	s.Registry.Event(o, reason, what+" by "+by.Subject+" through the API")
}
