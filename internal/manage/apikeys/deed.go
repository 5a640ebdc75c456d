package apikeys

import (
	"cmp"
	"context"
	"errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
)

// deed is something that somebody does, of which word is left whatever comes of it.
type deed struct {
	*Service
	by By
	// action is as audit has it.
	action string
	// target is the subject, and the object as soon as it is found.
	target, detail string
	// subject is whose keys it is about, for errors.
	subject v1alpha1.Subject
}

func (s *Service) begin(by By, action string, subject v1alpha1.Subject, id string) *deed {
	named := v1alpha1.Subject{Kind: subject.Kind, Name: s.harmless(subject.Name)}
	return &deed{Service: s, by: by, action: action, target: named.String(), detail: s.harmless(id), subject: subject}
}

func (s *Service) harmless(text string) string { return keyformat.Redact(text, s.Verifier.IsKey) }

// find finds the key that it is about, for whoever may change those of its subject.
func (d *deed) find(ctx context.Context, id string) (*v1alpha1.APIKey, error) {
	if err := d.mayAsk(d.by, d.subject, ActionWrite); err != nil {
		return nil, err
	}
	k, err := d.Service.find(ctx, d.by, d.subject, id)
	if err != nil {
		return nil, err
	}
	d.found(k)
	return k, nil
}

// found names the object, and whose it is.
func (d *deed) found(k *v1alpha1.APIKey) {
	d.target, d.detail = "APIKey/"+k.Namespace+"/"+k.Name, k.Spec.Subject.String()
	d.subject = k.Spec.Subject
}

// tell leaves an event on the object.
func (d *deed) tell(k *v1alpha1.APIKey, reason, what string) {
	d.Registry.Event(k, reason, what+" by "+d.by.Subject+" through the API")
}

// end leaves word of how it ended. What nobody did is not worth it: anybody could fill the trail.
func (d *deed) end(ctx context.Context, err error) error {
	var why *Error
	if err != nil {
		why = d.explain(ctx, err)
		if why.Field != "" && why.Kind == Invalid {
			why = &Error{Kind: why.Kind, Field: fieldOf(why.Field, d.subject.Kind), Text: why.Text, Cause: why.Cause}
		}
	}
	if why == nil {
		d.record(ctx, audit.Done, "")
		return nil
	}
	switch why.Kind {
	case Unauthorized:
	case Failed, Unavailable:
		d.record(ctx, audit.Failed, why.Error())
	default:
		d.record(ctx, audit.Refused, why.Error())
	}
	return why
}

func (d *deed) record(ctx context.Context, outcome, why string) {
	detail := d.detail
	if why != "" && detail != "" {
		detail += ": "
	}
	d.Trail.Record(ctx, audit.Entry{
		At: d.Now(), Actor: d.by.Subject, KeyID: d.by.KeyID, From: d.by.From,
		Action: d.action, Target: d.target, Outcome: outcome, Detail: detail + why,
	})
}

// explain says an error, which there has to be, in the terms of this package, and logs what is none of the caller's doing.
func (s *Service) explain(ctx context.Context, err error) *Error {
	var known *Error
	var unfit *objects.Invalid
	var refused *objects.Refused
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &unfit):
		return invalid(unfit.Field, cmp.Or(unfit.Problem, "is not valid"))
	case errors.As(err, &refused):
		return &Error{Kind: Conflict, Text: refused.Error(), Cause: err}
	case errors.Is(err, objects.ErrGone):
		return &Error{Kind: NotFound, Text: "API key not found"}
	case errors.Is(err, objects.ErrExists):
		return &Error{Kind: Conflict, Text: "there is an API key of that name already", Cause: err}
	case errors.Is(err, objects.ErrUnavailable):
		s.Log.WarnContext(ctx, "The API server can't be asked about API keys", "error", err.Error())
		return &Error{Kind: Unavailable, Text: "The API server is unavailable", Cause: err}
	}
	s.Log.ErrorContext(ctx, "Something about API keys failed", "error", err.Error())
	return &Error{Kind: Failed, Text: "internal error", Cause: err}
}
