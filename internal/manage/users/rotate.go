package users

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
)

// turnBrought is taken by whoever records a key that a person thought of.
const turnBrought = "brought-keys"

// RotateKey gives an admin another key. read returns the one to take, or nothing: then one is made. A key that a Secret
// delivers is asked for, and told nobody here.
func (s *Service) RotateKey(ctx context.Context, by By, name string, read Read[string]) (issued *Issued, err error) {
	defer func() { s.record(ctx, by, audit.UserRotate, name, err) }()
	if err := s.allowAdmin(by); err != nil {
		return nil, err
	}
	brought, err := read()
	if err != nil {
		return nil, err
	}
	k, err := s.newKey(brought)
	if err != nil {
		return nil, err
	}
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case user == nil || !user.IsAdmin():
		return nil, errNoAdmin(name)
	case secretOf(user) != nil && brought != "":
		return nil, failf(Conflict, "The key of '%s' is in Secret %s/%s, which a key can't be brought into here: leave new_key out to have it rotated",
			name, user.Namespace, user.EffectiveSecretName())
	case secretOf(user) != nil:
		return s.askRotation(ctx, by, user)
	case brought != "":
		err = s.takeBrought(ctx, user, k)
	default:
		err = s.Registry.Record(ctx, user, k, 0)
	}
	if err != nil {
		return nil, failure(err)
	}
	s.endSessions(ctx, name)
	s.tell(by, user, v1alpha1.EventKeyRotated, "Rotated: key "+k.Digest.KeyID()+" was returned; every earlier key is refused;")
	return &Issued{Username: name, Role: v1alpha1.RoleAdmin, Key: k.Plaintext}, nil
}

func (s *Service) newKey(brought string) (*objects.Key, error) {
	if brought == "" {
		k, err := s.Registry.Generate()
		return k, failure(err)
	}
	k, err := s.Registry.Brought(brought)
	if err != nil {
		return nil, failf(Invalid, "API key %s", err.Error())
	}
	return k, nil
}

// takeBrought looks whose the key is and records it, in one turn: of two who bring the same key at once, one is told so.
func (s *Service) takeBrought(ctx context.Context, user *v1alpha1.AdminUser, k *objects.Key) error {
	return s.Turns.Turn(ctx, turnBrought, func(ctx context.Context) error {
		taken, err := s.Registry.Taken(ctx, k)
		switch {
		case err != nil:
			return err
		case taken:
			return failf(Conflict, "API key is already in use")
		}
		return s.Registry.Record(ctx, user, k, 0)
	})
}

// askRotation leaves the sessions to the operator's key: the present one works until then.
func (s *Service) askRotation(ctx context.Context, by By, user *v1alpha1.AdminUser) (*Issued, error) {
	if err := s.Registry.AskRotation(ctx, user); err != nil {
		return nil, failure(err)
	}
	s.tell(by, user, v1alpha1.EventRotationRequested, "Rotation asked for")
	return &Issued{Username: user.EffectiveUsername(), Role: v1alpha1.RoleAdmin, Secret: secretOf(user)}, nil
}
