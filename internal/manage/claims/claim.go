package claims

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/program"
)

const (
	// reservation is how long a link stays reserved for a claim that does not report its end, and claimTimeout bounds the
	// claim itself. The difference is for clocks that differ, and for requests that are still on their way.
	reservation, claimTimeout = time.Minute, 30 * time.Second
	// undoTimeout bounds the cleanup after an operation that could not be finished.
	undoTimeout = 5 * time.Second
)

// Look returns what an open link offers. The token is enough: of the caller only the address counts.
func (s *Service) Look(ctx context.Context, caller manage.Caller, read manage.Read[string]) (*Offer, error) {
	e := entryOf(caller, audit.ClaimUse)
	token, err := s.tokenOf(caller, read)
	if err != nil {
		return nil, err
	}
	l, err := s.open(ctx, caller.From, token)
	if err != nil {
		return nil, s.record(ctx, e, err)
	}
	offer := offerOf(l)
	return &offer, nil
}

// tokenOf reads a token, which may be of no link.
func (s *Service) tokenOf(caller manage.Caller, read manage.Read[string]) (string, error) {
	token, err := read.By(s.Gate, caller, errForbidden)
	if err == nil && token == "" {
		err = errNoToken
	}
	return token, err
}

// Claim issues the key of an open link, ends the link, and returns the key, this once. The token is enough:
// of the caller only the address and the reason count.
func (s *Service) Claim(ctx context.Context, caller manage.Caller, read manage.Read[string]) (*Claimed, error) {
	e := entryOf(caller, audit.ClaimUse)
	token, err := s.tokenOf(caller, read)
	if err != nil {
		return nil, err
	}
	l, err := s.open(ctx, caller.From, token)
	if err != nil {
		e.Reason = ""
		return nil, s.record(ctx, e, err)
	}
	e.Actor, e.KeyID, e.Target, e.Detail = l.Creator, l.CreatorKey.KeyID(), target(l), detail(l)
	claimed, err := s.claim(ctx, caller, l)
	return claimed, s.record(ctx, e, err)
}

// open returns the open link of a token. Wrong tokens are slowed down by address, as wrong keys are at login.
func (s *Service) open(ctx context.Context, address, token string) (*link.Link, error) {
	if delay := s.Throttle.Begin("", address, s.Now()); delay > 0 && !program.Pause(ctx, delay) {
		return nil, &manage.Error{Kind: manage.Unavailable, Text: "The client has gone", Cause: ctx.Err()}
	}
	var l *link.Link
	if hash, possible := link.HashOf(token); possible {
		found, err := s.Store.ByToken(ctx, hash)
		if err != nil {
			return nil, unavailable(err)
		}
		l = found
	}
	if l == nil {
		return nil, s.wrongToken(address)
	}
	s.Throttle.Succeeded("", address)
	s.expire(l)
	if l.State != link.Open {
		return nil, errNoLink
	}
	return l, nil
}

func (s *Service) wrongToken(address string) error {
	retryAfter := s.Throttle.Failed("", address, s.Now())
	if retryAfter <= 0 {
		return errNoLink
	}
	busy := manage.Errorf(manage.Busy, "Too many wrong claim links: try again in %.0f seconds",
		math.Ceil(retryAfter.Seconds()))
	busy.RetryAfter = retryAfter
	return busy
}

// claim follows the order of writes in the package comment.
func (s *Service) claim(ctx context.Context, caller manage.Caller, l *link.Link) (*Claimed, error) {
	creator, err := s.creatorOf(l, caller)
	if err != nil {
		return nil, err
	}
	attempt, now := rand.Text(), s.Now()
	reserved, err := s.Store.Reserve(ctx, l.ID, attempt, now, now.Add(reservation))
	switch {
	case err != nil:
		return nil, unavailable(err)
	case !reserved:
		return nil, s.whyNotReserved(ctx, l)
	}
	// From here on the claim goes on when the client is gone, so that the link is not reserved for nothing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimTimeout)
	defer cancel()
	claimed, err := s.issue(ctx, creator, l, attempt)
	if err != nil {
		return nil, s.giveUp(ctx, l, attempt, err)
	}
	if err := s.finish(ctx, l, attempt); err != nil {
		return nil, err
	}
	return claimed, nil
}

// creatorOf returns the creator of a link as the caller of its claim, with the rights that the creator has now.
func (s *Service) creatorOf(l *link.Link, claimant manage.Caller) (manage.Caller, error) {
	d := s.Gate.Resume(&l.CreatorKey)
	switch d.Outcome {
	case gate.Allowed:
		creator := claimant
		creator.Caller = &d.Caller
		return creator, nil
	case gate.NotReady, gate.Stale:
		return manage.Caller{}, manage.NotReady()
	}
	refusal := s.Verifier.VerifyDigest(&l.CreatorKey, s.Now()).Reason
	return manage.Caller{}, creatorRefused(fmt.Errorf("the creator's key is refused: %s", refusal))
}

// whyNotReserved distinguishes a link that has ended since it was read from one that another claim has reserved.
func (s *Service) whyNotReserved(ctx context.Context, l *link.Link) error {
	now, err := s.Store.ByID(ctx, l.ID)
	switch {
	case err != nil:
		return unavailable(err)
	case now == nil:
		return errNoLink
	}
	s.expire(now)
	if now.State != link.Open {
		return errNoLink
	}
	return errBusy
}

func (s *Service) issue(ctx context.Context, creator manage.Caller, l *link.Link, attempt string) (*Claimed, error) {
	if l.Kind.Rotates() {
		return s.rotate(ctx, creator, l.ID, attempt)
	}
	subject, _ := v1alpha1.ParseSubject(l.Subject)
	if l.Kind == link.User {
		issued, err := s.Users.IssueWaiting(ctx, creator, subject.Name, l.UID)
		if err != nil {
			return nil, err
		}
		return &Claimed{Offer: offerOf(l), Key: issued.Key}, nil
	}
	issued, err := s.Keys.IssueWaiting(ctx, creator, subject, l.UID, l.Owner)
	if err != nil {
		return nil, err
	}
	return &Claimed{Offer: offerOf(l), Key: issued.Token, ID: issued.ID, ExpiresAt: issued.ExpiresAt}, nil
}

// giveUp ends a claim without a key. The link is open again, unless its object is lost, or has a key that was issued in
// another way.
func (s *Service) giveUp(ctx context.Context, l *link.Link, attempt string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if errors.Is(err, objects.ErrNotWaiting) || errors.Is(err, objects.ErrSucceeded) {
		if _, err := s.Store.End(ctx, l.ID, attempt, link.Void, s.Now()); err != nil {
			return unavailable(err)
		}
		return errNoLink
	}
	if failed := s.Store.Release(ctx, l.ID, attempt); failed != nil {
		s.Log.WarnContext(ctx, "A claim link stays reserved for a minute", "link", l.ID, "error", failed.Error())
	}
	if manage.Is(err, manage.Forbidden) || manage.Is(err, manage.Unauthorized) {
		return creatorRefused(err)
	}
	return err
}

// finish marks the link as used. Without that, the key is not shown: the link could be claimed again.
func (s *Service) finish(ctx context.Context, l *link.Link, attempt string) error {
	used, err := s.Store.Use(ctx, l.ID, attempt, s.Now())
	switch {
	case err != nil:
		return unavailable(err)
	case !used:
		return errBusy
	case l.Kind.Rotates():
		return nil
	}
	if err := s.Objects.StopWaiting(ctx, objectOf(l), l.UID); err != nil {
		// The object keeps a mark without a meaning: its link is used, and its key recorded.
		s.Log.WarnContext(ctx, "The annotation of a claim link is still on its object", "object", target(l),
			"error", err.Error())
	}
	return nil
}
