package apikeys

import (
	"context"
	"errors"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Waiting is an APIKey that waits for its first key.
type Waiting struct {
	Key
	// Owner is the id of the user that the key will belong to, or "".
	Owner string
}

// CreateWaiting is Create without a key: the APIKey waits for IssueWaiting until a time. It leaves the audit entry, and
// the record of the idempotency key, to the caller of this function.
func (s *Service) CreateWaiting(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, wanted *Wanted, until time.Time,
) (*Waiting, error) {
	op := s.begin(caller, audit.KeyCreate, subject, "")
	k, err := op.wanted(ctx, func() (*Wanted, error) { return wanted, nil })
	if err == nil {
		err = op.checkFirst(ctx)
	}
	if err == nil {
		err = createdBefore(op.Store.CreateWaiting(ctx, k, until))
	}
	if err != nil {
		return nil, op.explained(ctx, err)
	}
	op.event(k, v1alpha1.EventCreated, "Created, with a claim link,")
	return &Waiting{Key: op.viewOf(k), Owner: op.owner}, nil
}

// IssueWaiting issues the first key of an APIKey that waits for it. The caller is judged as for Rotate. owner is
// Waiting.Owner: a key does not pass to a later user of the same name. The error wraps objects.ErrNotWaiting if the
// APIKey is gone, or does not wait. IssueWaiting leaves the audit entry to the caller of this function.
func (s *Service) IssueWaiting(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id, owner string,
) (*Issued, error) {
	op := s.begin(caller, audit.KeyRotate, subject, id)
	issued, err := op.issueWaiting(ctx, id, owner)
	switch {
	case errors.Is(err, objects.ErrNotWaiting), errors.Is(err, objects.ErrGone):
		return nil, objects.ErrNotWaiting
	case err != nil:
		return nil, op.explained(ctx, err)
	}
	return issued, nil
}

func (op *operation) issueWaiting(ctx context.Context, id, owner string) (*Issued, error) {
	if err := op.authorize(); err != nil {
		return nil, err
	}
	k, err := op.find(ctx, id)
	switch {
	case manage.Is(err, manage.NotFound), owner != "" && owner != op.owner:
		return nil, objects.ErrNotWaiting
	case err != nil:
		return nil, err
	}
	if err := op.checkRotation(k); err != nil {
		return nil, err
	}
	secret, err := op.Store.Generate()
	if err != nil {
		return nil, err
	}
	secret.Owner = op.owner
	if err := op.Store.IssueWaiting(ctx, k, secret); err != nil {
		return nil, err
	}
	op.event(k, v1alpha1.EventKeyIssued, "Issued to a claim link that was made")
	return op.issued(ctx, k, secret.Plaintext)
}

// MayRead reports whether a caller may read the keys of a subject. A subject without a name stands for all of its kind,
// and the zero subject for all kinds.
func (s *Service) MayRead(caller manage.Caller, subject v1alpha1.Subject) bool {
	return s.authorize(caller, subject, ActionRead) == nil
}

// MayWrite reports whether a caller may create and delete keys of a subject, as MayRead does for reading.
func (s *Service) MayWrite(caller manage.Caller, subject v1alpha1.Subject) bool {
	return s.authorize(caller, subject, ActionWrite) == nil
}

// MayWriteSome reports whether a caller may create keys of some subject: its own, or all.
func (s *Service) MayWriteSome(caller manage.Caller) bool {
	return s.MayWrite(caller, ownSubject(caller))
}

// MayReadSome reports whether a caller may read keys of some subject: its own, or all.
func (s *Service) MayReadSome(caller manage.Caller) bool {
	return s.MayRead(caller, ownSubject(caller))
}
