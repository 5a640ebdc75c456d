package users

import (
	"context"
	"errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
)

// SetRole promotes or demotes a user. read returns the role.
func (s *Service) SetRole(ctx context.Context, by By, name string, read Read[string]) (issued *Issued, err error) {
	action := audit.UserDemote
	defer func() { s.record(ctx, by, action, name, err) }()
	if err := s.allow(by, actionWrite); err != nil {
		return nil, err
	}
	user, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := changeable(user); err != nil {
		return nil, err
	}
	if name == by.Username {
		return nil, failf(Invalid, "Cannot change your own role")
	}
	role, err := s.readRole(read)
	if role == v1alpha1.RoleAdmin {
		action = audit.UserPromote
	}
	switch {
	case err != nil:
		return nil, err
	case username.Reserved(name):
		return nil, failf(Invalid, "Cannot change role of reserved 'admin' user")
	case role == v1alpha1.RoleAdmin && !by.Admin:
		return nil, errForbidden
	case user == nil:
		return s.setRoleOfSeen(ctx, by, name, role)
	case role == v1alpha1.RoleAdmin:
		return s.promote(ctx, by, name)
	}
	return s.demote(ctx, by, name)
}

func (s *Service) readRole(read Read[string]) (v1alpha1.Role, error) {
	written, err := read()
	role := v1alpha1.Role(written)
	switch {
	case err != nil:
		return "", err
	case written == "":
		return "", failf(Invalid, "Role is required")
	case role != v1alpha1.RoleAdmin && role != v1alpha1.RoleUser:
		return "", failf(Invalid, "Invalid role: '%s'. Must be 'admin' or 'user'.", shown(s.harmless(written)))
	}
	return role, nil
}

// setRoleOfSeen: who was merely seen is a plain user, and is made an admin by an object.
func (s *Service) setRoleOfSeen(ctx context.Context, by By, name string, role v1alpha1.Role) (*Issued, error) {
	known, err := s.Seen.Find(ctx, name)
	switch {
	case err != nil:
		return nil, failure(err)
	case known == nil:
		return nil, errNotFound(name)
	case role == v1alpha1.RoleUser:
		return nil, errSameRole(name, role)
	}
	if err := s.checkName(name); err != nil {
		return nil, err
	}
	if spelled := s.Names.CanonicalName(name); spelled != "" {
		if existing, err := s.find(ctx, spelled); err != nil || existing != nil {
			return nil, errOr(err, existing)
		}
	}
	return s.create(ctx, by, name, v1alpha1.EventPromoted, "Made an admin")
}

func errOr(err error, existing *v1alpha1.AdminUser) error {
	if err != nil {
		return err
	}
	return errTaken(existing)
}

func errSameRole(name string, role v1alpha1.Role) error {
	return failf(Invalid, "User '%s' already has role '%s'", shown(name), role)
}

// promote takes turns with whoever else changes a role, so that of two promotions at once one says that there is nothing
// to change, and no key is given away that another takes the place of at once.
func (s *Service) promote(ctx context.Context, by By, name string) (issued *Issued, err error) {
	err = s.Turns.Turn(ctx, turnAdmins, func(ctx context.Context) error {
		user, err := s.find(ctx, name)
		switch {
		case err != nil:
			return err
		case user == nil:
			return errNotFound(name)
		case user.IsAdmin():
			return errSameRole(name, v1alpha1.RoleAdmin)
		}
		issued, err = s.makeAdmin(ctx, by, user)
		return err
	})
	return issued, failure(err)
}

// makeAdmin first takes every key off that is on record still: none of them may work again.
func (s *Service) makeAdmin(ctx context.Context, by By, user *v1alpha1.AdminUser) (*Issued, error) {
	k, err := s.Registry.Generate()
	if err != nil {
		return nil, err
	}
	if err := s.Registry.DropKeys(ctx, user); err != nil {
		return nil, err
	}
	if err := s.Registry.Change(ctx, user, setRole(v1alpha1.RoleAdmin)); err != nil {
		return nil, err
	}
	issued := &Issued{Username: user.EffectiveUsername(), Role: v1alpha1.RoleAdmin, Secret: secretOf(user)}
	if issued.Secret == nil {
		if err := s.Registry.Record(ctx, user, k, 0); err != nil {
			s.takeBack(ctx, user)
			return nil, err
		}
		issued.Key = k.Plaintext
	}
	s.tell(by, user, v1alpha1.EventPromoted, "Made an admin")
	return issued, nil
}

// takeBack leaves no admin without a key.
func (s *Service) takeBack(ctx context.Context, user *v1alpha1.AdminUser) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.Registry.Change(ctx, user, setRole(v1alpha1.RoleUser)); err != nil {
		s.Log.ErrorContext(ctx, "A user was made an admin who has no key: rotate it", "adminUser", user.Name, "error", err.Error())
	}
}

func setRole(role v1alpha1.Role) func(objects.Object) {
	return func(o objects.Object) { o.(*v1alpha1.AdminUser).Spec.Role = role }
}

// secretOf is where the user's key is delivered. Nil: it is told in replies.
func secretOf(user *v1alpha1.AdminUser) *SecretRef {
	if user.Spec.Delivery == v1alpha1.DeliveryResponse {
		return nil
	}
	return &SecretRef{Namespace: user.Namespace, Name: user.EffectiveSecretName()}
}

// demote takes the keys off too: who is made an admin again by other means than the API comes by no old one.
func (s *Service) demote(ctx context.Context, by By, name string) (*Issued, error) {
	var undropped error
	user, err := s.removeAdmin(ctx, name, removal{
		refused: "Cannot demote the last admin user",
		missing: errNotFound(name),
		plain:   errSameRole(name, v1alpha1.RoleUser),
		remove: func(ctx context.Context, user *v1alpha1.AdminUser) error {
			if err := s.Registry.Change(ctx, user, setRole(v1alpha1.RoleUser)); err != nil {
				return err
			}
			undropped = s.dropKeys(ctx, user)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	s.endSessions(ctx, name)
	s.tell(by, user, v1alpha1.EventDemoted, "Demoted")
	if undropped != nil {
		return nil, &Error{
			Kind: Unavailable, Cause: undropped,
			Text: "User '" + name + "' is demoted, but the old key is on record still: promote and demote them again",
		}
	}
	return &Issued{Username: name, Role: v1alpha1.RoleUser}, nil
}

// dropKeys leaves to the operator what a Secret delivers: admission lets nobody else write those keys. It is done whatever
// becomes of the caller.
func (s *Service) dropKeys(ctx context.Context, user *v1alpha1.AdminUser) error {
	if secretOf(user) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	err := s.Registry.DropKeys(ctx, user)
	if errors.Is(err, objects.ErrGone) {
		return nil
	}
	return err
}
