package users

import (
	"context"
	"errors"

	"keywright.dev/keywright/internal/audit"
	"keywright.dev/keywright/internal/registry"
)

// record writes down what came of an action. That nobody in particular may do it is not worth an entry: anybody could
// fill the trail.
func (s *Service) record(ctx context.Context, by By, action, name string, err error) {
	e := audit.Entry{
		Actor: by.Subject, KeyID: by.KeyID, From: by.From, Action: action, Target: "User/" + name, Outcome: audit.Done,
	}
	if err != nil {
		var refusal *Error
		e.Outcome, e.Detail = audit.Failed, err.Error()
		if errors.As(err, &refusal) && refusal.Kind != Failed && refusal.Kind != Unavailable {
			e.Outcome = audit.Refused
		}
		if errors.Is(err, errForbidden) && by.KeyID == "" {
			return
		}
	}
	s.Trail.Record(ctx, e)
}

// tell writes an event on the object.
func (s *Service) tell(by By, o registry.Object, reason, what string) {
	s.Registry.Event(o, reason, what+" by "+by.Subject+" through the API")
}
