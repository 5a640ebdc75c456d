package ownkey

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/users"
)

// Config is what the service works with.
type Config struct {
	Keys  *apikeys.Service
	Users *users.Service
	Uses  manage.Uses
	Now   func() time.Time
}

// Service describes and rotates the key of a caller. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c} }

var errUnauthorized = &manage.Error{Kind: manage.Unauthorized, Text: "invalid token"}

// kindOf returns the kind of the caller's key. A caller without a key is refused.
func kindOf(caller manage.Caller) (Kind, error) {
	switch {
	case caller.Caller == nil || !caller.HasKey():
		return "", errUnauthorized
	case caller.KeyObjectUID() == "":
		return Bootstrap, nil
	}
	return Kind(caller.KeyObject().Kind), nil
}

// Get describes the caller's key.
func (s *Service) Get(ctx context.Context, caller manage.Caller) (*Key, error) {
	kind, err := kindOf(caller)
	switch {
	case err != nil:
		return nil, err
	case kind == AdminUser:
		return s.ofUser(ctx, caller)
	case kind == Bootstrap:
		return new(ofBootstrap(caller)), nil
	}
	presented, err := s.Keys.Presented(ctx, caller)
	if err != nil {
		return nil, err
	}
	k := ofAPIKey(&presented.Key)
	k.present(&presented.Recorded, caller.Ends())
	return &k, nil
}

func (s *Service) ofUser(ctx context.Context, caller manage.Caller) (*Key, error) {
	user, recorded, err := s.Users.Presented(ctx, caller)
	if err != nil {
		return nil, err
	}
	k := ofUser(user)
	k.present(recorded, caller.Ends())
	uses, err := s.Uses.LastUses(ctx, []string{k.ID})
	if err != nil {
		return nil, &manage.Error{Kind: manage.Unavailable, Text: "The database is unavailable", Cause: err}
	}
	k.setLastUse(lastuse.Latest(k.LastUsedAt, uses[k.ID]))
	return &k, nil
}

// Rotate replaces the caller's key and returns the new one. Another key of the object, which has succeeded the
// caller's, stays. A key that is delivered elsewhere than in replies is not rotated: the error says how it is.
func (s *Service) Rotate(
	ctx context.Context, caller manage.Caller, read manage.Read[*apikeys.Rotation],
) (*Rotated, error) {
	kind, err := kindOf(caller)
	switch {
	case err != nil:
		return nil, err
	case kind != APIKey:
		return s.rotateAdmin(ctx, caller, read)
	}
	issued, err := s.Keys.RotateOwn(ctx, caller, read)
	if err != nil {
		return nil, err
	}
	return &Rotated{ofAPIKey(&issued.Key), issued.Token, issued.PreviousEnds}, nil
}

// rotateAdmin rotates the key of an AdminUser, and refuses to rotate the bootstrap key.
func (s *Service) rotateAdmin(
	ctx context.Context, caller manage.Caller, read manage.Read[*apikeys.Rotation],
) (*Rotated, error) {
	issued, err := s.Users.RotateKey(ctx, caller, caller.Username, func() (users.Rotation, error) {
		r, err := read()
		if err == nil && r.Overlap != nil {
			err = manage.InvalidField(apikeys.FieldOverlap, "is for an APIKey: spec.rotation.overlap of an AdminUser decides")
		}
		return users.Rotation{KeyID: caller.KeyID, Own: true}, err
	})
	if err != nil {
		return nil, err
	}
	k := ofUser(issued.Record)
	rotated := &Rotated{k, issued.Key, s.Now()}
	for _, one := range convert.Keys(issued.Record.Status.Keys) {
		switch {
		case one.State == lifecycle.StateCurrent:
			rotated.present(&one, one.ExpiresAt)
		case one.ID == caller.KeyID:
			rotated.PreviousEnds = one.ExpiresAt
		}
	}
	return rotated, nil
}
