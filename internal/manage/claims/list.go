package claims

import (
	"context"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/claims/link"
)

// List lists the links whose objects the caller may read: the open ones first, then the newest. Links that have ended
// stay for a while.
func (s *Service) List(ctx context.Context, caller manage.Caller) ([]link.Link, error) {
	if !caller.HasKey() || !s.Users.MayRead(caller) && !s.Keys.MayReadSome(caller) {
		return nil, errForbidden
	}
	all, err := s.Store.List(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	return slices.DeleteFunc(all, func(l link.Link) bool {
		s.expire(&l)
		return !s.mayRead(caller, &l)
	}), nil
}

// expire marks an open link whose time is over: the work that ends it may not have come to it yet.
func (s *Service) expire(l *link.Link) {
	if l.State == link.Open && !s.Now().Before(l.EndsAt) {
		l.State, l.EndedAt = link.Expired, l.EndsAt
	}
}

func (s *Service) mayRead(caller manage.Caller, l *link.Link) bool {
	if !l.Kind.IsOfKey() {
		return s.Users.MayRead(caller)
	}
	subject, known := v1alpha1.ParseSubject(l.Subject)
	return known && s.Keys.MayRead(caller, subject)
}

func (s *Service) mayWrite(caller manage.Caller, l *link.Link) bool {
	if !l.Kind.IsOfKey() {
		return s.Users.MayWrite(caller)
	}
	subject, known := v1alpha1.ParseSubject(l.Subject)
	return known && s.Keys.MayWrite(caller, subject)
}

// Withdraw ends an open link, and deletes the object that waits for it, if there is one. The caller needs the right to
// delete the object of the link.
func (s *Service) Withdraw(ctx context.Context, caller manage.Caller, id string) error {
	e := entryOf(caller, audit.ClaimWithdraw)
	e.Target = "Claim/" + keyformat.Redact(id, s.Verifier.IsKey)
	return s.record(ctx, e, s.withdraw(ctx, caller, e, id))
}

func (s *Service) withdraw(ctx context.Context, caller manage.Caller, e *audit.Entry, id string) error {
	if !caller.HasKey() || !s.Users.MayWrite(caller) && !s.Keys.MayWriteSome(caller) {
		return errForbidden
	}
	if caller.BadReason != nil {
		return caller.BadReason
	}
	l, err := s.Store.ByID(ctx, id)
	switch {
	case err != nil:
		return unavailable(err)
	case l == nil || !s.mayWrite(caller, l):
		return manage.Errorf(manage.NotFound, "Claim link not found")
	}
	e.Target, e.Detail = target(l), detail(l)
	s.expire(l)
	if l.State != link.Open {
		return manage.Errorf(manage.Conflict, "The claim link is not open any more: it is %s since %s", l.State,
			l.EndedAt.UTC().Format(time.RFC3339))
	}
	ended, err := s.Store.End(ctx, l.ID, "", link.Withdrawn, s.Now())
	switch {
	case err != nil:
		return unavailable(err)
	case !ended:
		return errBusy
	}
	s.settle(ctx, l, "Deleted: its claim link was withdrawn by "+caller.Subject+" through the API"+caller.Because())
	return nil
}
