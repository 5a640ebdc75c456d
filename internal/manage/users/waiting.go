package users

import (
	"context"
	"errors"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
)

// CreateWaiting is Create without a key: the AdminUser waits for IssueWaiting until a time. It leaves the audit entry,
// and the record of the idempotency key, to the caller of this function.
func (s *Service) CreateWaiting(
	ctx context.Context, caller manage.Caller, w Wanted, until time.Time,
) (*v1alpha1.AdminUser, error) {
	if err := s.allowAdmin(caller); err != nil {
		return nil, err
	}
	if err := s.checkWanted(ctx, caller, &w); err != nil {
		return nil, err
	}
	user := w.user()
	err := s.Store.CreateWaiting(ctx, user, until)
	if errors.Is(err, objects.ErrExists) {
		return nil, s.createdFirst(ctx, &w)
	}
	if err != nil {
		return nil, failure(err)
	}
	s.event(caller, user, v1alpha1.EventCreated, "Created, with a claim link,")
	return user, nil
}

// IssueWaiting issues the first key of an admin that waits for it. The caller is judged as for RotateKey. The error
// wraps objects.ErrNotWaiting if the AdminUser with this uid is gone, or does not wait. IssueWaiting leaves the audit
// entry to the caller of this function.
func (s *Service) IssueWaiting(ctx context.Context, caller manage.Caller, name, uid string) (*Issued, error) {
	if err := s.allowAdmin(caller); err != nil {
		return nil, err
	}
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case user == nil || string(user.UID) != uid || !user.IsAdmin():
		return nil, objects.ErrNotWaiting
	}
	k, err := s.Store.Generate()
	if err != nil {
		return nil, failure(err)
	}
	err = s.Store.IssueWaiting(ctx, user, k)
	switch {
	case errors.Is(err, objects.ErrNotWaiting) || errors.Is(err, objects.ErrGone):
		return nil, objects.ErrNotWaiting
	case err != nil:
		return nil, failure(err)
	}
	s.event(caller, user, v1alpha1.EventKeyIssued, "Issued to a claim link that was made")
	return &Issued{Username: name, Role: v1alpha1.RoleAdmin, Key: secretKey(name, k)}, nil
}

// MayRead reports whether a caller may list users.
func (s *Service) MayRead(caller manage.Caller) bool { return s.allow(caller, actionRead) == nil }

// MayWrite reports whether a caller may create and delete users.
func (s *Service) MayWrite(caller manage.Caller) bool { return s.allow(caller, actionWrite) == nil }
