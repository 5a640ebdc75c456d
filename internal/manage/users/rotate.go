package users

import (
	"context"
	"errors"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// turnBrought is the turn for recording a key that a person brought.
const turnBrought = "brought-keys"

// Rotation is how to rotate a key. The zero Rotation replaces whatever key is current with a generated one.
type Rotation struct {
	// NewKey is the key that the caller brings, or empty.
	NewKey string
	// KeyID is the key id of the key that the caller takes for the current one. Another current key is a conflict, so
	// that a request which is sent twice rotates once. It may be empty.
	KeyID string
	// Own is true if the caller rotates its own key: it gets the new key, or nothing is rotated.
	Own bool
}

func (r *Rotation) check() error {
	if r.KeyID != "" && !pepper.IsKeyID(r.KeyID) {
		return manage.Errorf(manage.Invalid, "key_id must be the key id of the current key: 16 hexadecimal characters")
	}
	return nil
}

// RotateKey gives an admin another key. For a key that is delivered in a Secret, RotateKey requests the rotation and
// returns no plaintext.
func (s *Service) RotateKey(
	ctx context.Context, caller manage.Caller, name string, read manage.Read[Rotation],
) (issued *Issued, err error) {
	defer func() { s.record(ctx, caller, audit.UserRotate, name, err) }()
	if err := s.allowAdmin(caller); err != nil {
		return nil, err
	}
	r, err := read.By(s.Gate, caller, errForbidden)
	if err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	brought := r.NewKey
	k, err := s.newKey(brought)
	if err != nil {
		return nil, err
	}
	k.Succeeds = r.KeyID
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case r.Own && username.Reserved(name):
		return nil, errBootstrap
	case user == nil || !user.IsAdmin():
		return nil, errNotAdmin(name)
	case !k.MaySucceedIn(user):
		return nil, errRotated(user)
	case secretOf(user) != nil && brought != "":
		return nil, manage.Errorf(manage.Conflict,
			"The key of '%s' is delivered in Secret %s/%s and can't be set here: leave new_key out to rotate it",
			name, user.Namespace, user.EffectiveSecretName())
	case secretOf(user) != nil && r.Own:
		return nil, errInSecret(user)
	case secretOf(user) != nil:
		return s.requestRotation(ctx, caller, user)
	case brought != "":
		err = s.adopt(ctx, user, k)
	default:
		err = s.Store.Record(ctx, user, k, overlapOf(user))
	}
	if errors.Is(err, objects.ErrSucceeded) {
		return nil, errRotated(user)
	}
	if err != nil {
		return nil, failure(err)
	}
	return s.rotated(ctx, caller, user, k, "Rotated", ""), nil
}

// rotated ends the sessions of an admin with another key, and reports an event. Its sentence begins with what was done,
// and ends with an act of the caller, or "".
func (s *Service) rotated(
	ctx context.Context, caller manage.Caller, user *v1alpha1.AdminUser, k *objects.Key, what, act string,
) *Issued {
	name := user.EffectiveUsername()
	s.endSessions(ctx, name)
	s.event(caller, user, v1alpha1.EventKeyRotated,
		what+": key "+k.Digest.KeyID()+" was returned; "+endOfEarlier(overlapOf(user))+";"+act)
	return &Issued{Username: name, Role: v1alpha1.RoleAdmin, Key: secretKey(name, k), Record: user}
}

func endOfEarlier(overlap time.Duration) string {
	if overlap == 0 {
		return "every earlier key is refused"
	}
	return "earlier keys end within " + overlap.String()
}

func (s *Service) newKey(brought string) (*objects.Key, error) {
	if brought == "" {
		k, err := s.Store.Generate()
		return k, failure(err)
	}
	k, err := s.Store.Brought(brought)
	if err != nil {
		return nil, manage.Errorf(manage.Invalid, "API key %s", err.Error())
	}
	return k, nil
}

// adopt checks that no other object records the key and then records it, both in one turn: of two callers who
// bring the same key at once, one is refused.
func (s *Service) adopt(ctx context.Context, user *v1alpha1.AdminUser, k *objects.Key) error {
	return s.Turns.Turn(ctx, turnBrought, func(ctx context.Context) error {
		taken, err := s.Store.Taken(ctx, k)
		switch {
		case err != nil:
			return err
		case taken:
			return manage.Errorf(manage.Conflict, "API key is already in use")
		case s.Store.Revoked(k):
			return manage.Errorf(manage.Conflict, "API key was revoked before: choose another")
		}
		return s.Store.Record(ctx, user, k, overlapOf(user))
	})
}

// overlapOf returns how long the user's present key is accepted beside its successor: not at all, unless the manifest
// says so.
func overlapOf(user *v1alpha1.AdminUser) time.Duration { return convert.Spec(user).Overlap }

// requestRotation ends no sessions: the present key is valid until the operator delivers the next one.
func (s *Service) requestRotation(
	ctx context.Context, caller manage.Caller, user *v1alpha1.AdminUser,
) (*Issued, error) {
	if err := s.Store.RequestRotation(ctx, user); err != nil {
		return nil, failure(err)
	}
	s.event(caller, user, v1alpha1.EventRotationRequested, "Rotation requested")
	return &Issued{Username: user.EffectiveUsername(), Role: v1alpha1.RoleAdmin, Secret: secretOf(user)}, nil
}
