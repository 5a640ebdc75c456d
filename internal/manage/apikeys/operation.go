package apikeys

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// operation is one call that changes keys. Its outcome is audited, unless the caller is not authorized at all.
type operation struct {
	*Service
	caller manage.Caller
	// action is one of package audit.
	action string
	// target is the subject until the object is found. It is empty for a subject without a name.
	target, detail string
	// subject owns the keys. Errors name fields after its kind.
	subject v1alpha1.Subject
	// owner is the id of the subject's user, read before the caller was authorized: a key that the caller may issue never
	// belongs to a later user of the same name.
	owner string
	// once is the idempotency key of a creation. It may be empty.
	once string
	// renews is true when the caller may rotate the key because it is the caller's own.
	renews bool
	// own is true if the caller rotates the key that it presents: it gets the new key, or nothing is rotated.
	own bool
}

func (s *Service) begin(caller manage.Caller, action string, subject v1alpha1.Subject, id string) *operation {
	target := ""
	if subject.Name != "" {
		target = v1alpha1.Subject{Kind: subject.Kind, Name: s.redact(subject.Name)}.String()
	}
	return &operation{
		Service: s, caller: caller, action: action, target: target, detail: s.redact(id), subject: subject,
		owner: s.ownerOf(subject),
	}
}

// ownerOf returns the id of the user that new keys of a subject belong to, or "".
func (s *Service) ownerOf(subject v1alpha1.Subject) string {
	if subject.Kind != v1alpha1.SubjectUser {
		return ""
	}
	return s.Verifier.UserID(subject.Name)
}

// redact returns a name or an id as it may be recorded: a key that was sent in its place is hidden.
func (s *Service) redact(text string) string { return keyformat.Redact(text, s.Verifier.IsKey) }

// authorize refuses a caller who may not change the keys of the subject.
func (op *operation) authorize() error {
	return op.Service.authorize(op.caller, op.subject, ActionWrite)
}

// find returns the key of the operation. The caller is authorized, and its input is valid.
func (op *operation) find(ctx context.Context, id string) (*v1alpha1.APIKey, error) {
	k, err := op.Service.find(ctx, op.caller, op.subject, id)
	if err != nil {
		return nil, err
	}
	op.setTarget(k)
	return k, nil
}

func (op *operation) setTarget(k *v1alpha1.APIKey) {
	op.target, op.detail = "APIKey/"+k.Namespace+"/"+k.Name, k.Spec.Subject.String()
	op.subject = k.Spec.Subject
}

// event writes an event on the object.
func (op *operation) event(k *v1alpha1.APIKey, reason, what string) {
	op.Store.Event(k, reason, what+" by "+op.caller.Subject+" through the API"+op.caller.Because())
}

// end audits the outcome and returns err as a *manage.Error. An unauthorized call leaves no entry, or anonymous
// requests could fill the audit trail.
func (op *operation) end(ctx context.Context, err error) error {
	if err == nil {
		op.record(ctx, audit.Done, "")
		return nil
	}
	why := op.explained(ctx, err)
	if why.Kind != manage.Unauthorized {
		op.record(ctx, manage.Outcome(why), why.Error())
	}
	return why
}

// explained returns err, which is not nil, as a *manage.Error with the name of an input.
func (op *operation) explained(ctx context.Context, err error) *manage.Error {
	why := op.toError(ctx, err)
	if why.Field != "" && why.Kind == manage.Invalid {
		named := *why
		named.Field = inputField(why.Field, op.subject.Kind)
		return &named
	}
	return why
}

func (op *operation) record(ctx context.Context, outcome, why string) {
	detail := op.detail
	if why != "" && detail != "" {
		detail += ": "
	}
	op.Trail.Record(ctx, audit.Entry{
		At: op.Now(), Actor: op.caller.Subject, KeyID: op.caller.KeyID, From: op.caller.From,
		Action: op.action, Target: op.target, Outcome: outcome, Detail: detail + why, Reason: op.caller.Reason,
	})
}

const notFound = "API key not found"

var translation = manage.Translation{
	Gone:   manage.Error{Kind: manage.NotFound, Text: notFound},
	Exists: manage.Error{Kind: manage.Conflict, Text: "an API key of that name exists already"},
	Other:  manage.Error{Kind: manage.Failed, Text: "internal error"},
}

// toError returns err, which is not nil, as a *manage.Error, and logs failures that the caller did not cause.
func (s *Service) toError(ctx context.Context, err error) *manage.Error {
	why := translation.Error(err)
	if why.Cause == nil {
		return why
	}
	switch why.Kind {
	case manage.Unavailable:
		s.Log.WarnContext(ctx, "An operation on API keys is unavailable", "error", why.Cause.Error())
	case manage.Failed:
		s.Log.ErrorContext(ctx, "An operation on API keys failed", "error", why.Cause.Error())
	}
	return why
}
