package login

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/program"
)

// Sessions begins and ends sessions. In the server they are in the database, which may be down.
type Sessions interface {
	Begin(ctx context.Context, username string, key pepper.Digest) (cookie string, err error)
	End(ctx context.Context, cookie string) error
}

// Config is what the service works with.
type Config struct {
	Gate     *gate.Gate
	Sessions Sessions
	Throttle *loginthrottle.Throttle
	Trail    manage.Trail
	Now      func() time.Time
}

// Service begins and ends sessions. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a Service.
func New(c Config) *Service { return &Service{c} }

// Session is a session that has begun.
type Session struct {
	// Cookie is the value of the session cookie.
	Cookie string
	Caller gate.Caller
}

// Begin begins a session for the owner of a key, from an address. Every wrong name or key has the same error. While the
// address or the user has too many failures, the error is Busy, with RetryAfter. former is the session cookie that the
// client sent, or empty: it is replaced, so that session ends.
func (s *Service) Begin(ctx context.Context, username, key, address, former string) (*Session, error) {
	username, key = strings.TrimSpace(username), strings.TrimSpace(key)
	if username == "" || key == "" {
		return nil, manage.Errorf(manage.Invalid, "Username and api_key are required")
	}
	if delay := s.Throttle.Begin(username, address, s.Now()); delay > 0 && !program.Pause(ctx, delay) {
		return nil, &manage.Error{Kind: manage.Unavailable, Text: "The client has gone", Cause: ctx.Err()}
	}
	d := s.Gate.Authenticate(key, address)
	switch {
	case d.Outcome == gate.NotReady, d.Outcome == gate.Stale:
		return nil, manage.NotReady()
	case d.Outcome != gate.Allowed || d.Caller.Username != username || d.Caller.Digest() == nil:
		return nil, s.refuse(ctx, username, address)
	}
	s.Throttle.Succeeded(username, address)
	if err := s.replace(ctx, former); err != nil {
		return nil, err
	}
	cookie, err := s.Sessions.Begin(ctx, d.Caller.Username, *d.Caller.Digest())
	if err != nil {
		return nil, unavailable(err)
	}
	s.Trail.Record(ctx, audit.Entry{
		Actor: d.Caller.Subject, KeyID: d.Caller.KeyID, From: address,
		Action: audit.Login, Target: d.Caller.Subject, Outcome: audit.Done,
	})
	return &Session{Cookie: cookie, Caller: d.Caller}, nil
}

// replace ends the former session of a client. The audit entry of the login stands for it.
func (s *Service) replace(ctx context.Context, former string) error {
	if former == "" {
		return nil
	}
	if err := s.Sessions.End(ctx, former); err != nil {
		return unavailable(err)
	}
	return nil
}

// refuse counts and records a failed try.
func (s *Service) refuse(ctx context.Context, username, address string) *manage.Error {
	refusal := manage.Errorf(manage.Unauthorized, "Invalid username or API key")
	var why string
	if retryAfter := s.Throttle.Failed(username, address, s.Now()); retryAfter > 0 {
		why = "too many failed logins"
		seconds := strconv.Itoa(int(math.Ceil(retryAfter.Seconds())))
		refusal = manage.Errorf(manage.Busy, "Too many failed logins: try again in %s seconds", seconds)
		refusal.RetryAfter = retryAfter
	}
	s.Trail.Record(ctx, audit.Entry{
		From: address, Action: audit.Login, Target: "User/" + keyformat.Redact(username, s.Gate.IsKey),
		Outcome: audit.Refused, Detail: why,
	})
	return refusal
}

// End ends the session of a cookie, if there is one. An empty cookie does nothing.
func (s *Service) End(ctx context.Context, cookie, address string) error {
	if cookie == "" {
		return nil
	}
	// Only a valid session is known to have been ended by its user.
	d := s.Gate.AuthenticateSession(cookie, address)
	if err := s.Sessions.End(ctx, cookie); err != nil {
		return unavailable(err)
	}
	if d.Outcome == gate.Allowed {
		s.Trail.Record(ctx, audit.Entry{
			Actor: d.Caller.Subject, KeyID: d.Caller.KeyID, From: address,
			Action: audit.Logout, Target: d.Caller.Subject, Outcome: audit.Done,
		})
	}
	return nil
}

// unavailable returns the error for the caller of an operation whose database failed.
func unavailable(err error) error {
	var known *manage.Error
	if errors.As(err, &known) {
		return err
	}
	return &manage.Error{Kind: manage.Unavailable, Text: "The server can't do this now", Cause: err}
}
