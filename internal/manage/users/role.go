package users

import (
	"context"
	"errors"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// SetRole promotes or demotes a user. read returns the role.
func (s *Service) SetRole(
	ctx context.Context, caller manage.Caller, name string, read manage.Read[string],
) (issued *Issued, err error) {
	action := audit.UserDemote
	defer func() { s.record(ctx, caller, action, name, err) }()
	if err := s.allow(caller, actionWrite); err != nil {
		return nil, err
	}
	if username.Equal(name, caller.Username) {
		return nil, manage.Errorf(manage.Invalid, OwnRole)
	}
	role, err := s.readRole(caller, read)
	if err != nil {
		return nil, err
	}
	if role == v1alpha1.RoleAdmin {
		action = audit.UserPromote
		if err := s.allowAdmin(caller); err != nil {
			return nil, err
		}
	}
	if username.Reserved(name) {
		return nil, manage.Errorf(manage.Invalid, "Cannot change role of reserved 'admin' user")
	}
	return s.applyRole(ctx, caller, name, role)
}

// applyRole promotes or demotes a user other than the caller. The caller may do so.
func (s *Service) applyRole(
	ctx context.Context, caller manage.Caller, name string, role v1alpha1.Role,
) (*Issued, error) {
	user, err := s.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		return s.setRoleOfSeen(ctx, caller, name, role)
	}
	if err := checkManaged(user); err != nil {
		return nil, err
	}
	if role == v1alpha1.RoleAdmin {
		return s.promote(ctx, caller, name)
	}
	return s.demote(ctx, caller, name)
}

func (s *Service) readRole(caller manage.Caller, read manage.Read[string]) (v1alpha1.Role, error) {
	text, err := read.By(s.Gate, caller, errForbidden)
	role := v1alpha1.Role(text)
	switch {
	case err != nil:
		return "", err
	case text == "":
		return "", manage.Errorf(manage.Invalid, "Role is required")
	case role != v1alpha1.RoleAdmin && role != v1alpha1.RoleUser:
		return "", manage.Errorf(manage.Invalid, "Invalid role: '%s'. Must be 'admin' or 'user'.", shown(s.redact(text)))
	}
	return role, nil
}

// setRoleOfSeen promotes a seen user by creating an AdminUser. A seen user is a plain user already.
func (s *Service) setRoleOfSeen(
	ctx context.Context, caller manage.Caller, name string, role v1alpha1.Role,
) (*Issued, error) {
	seen, err := s.Seen.Find(ctx, name)
	switch {
	case err != nil:
		return nil, failure(err)
	case seen == nil:
		return nil, errNotFound(name)
	case role == v1alpha1.RoleUser:
		return nil, errSameRole(name, role)
	}
	if err := s.checkName(name); err != nil {
		return nil, err
	}
	if spelled := s.Verifier.CanonicalName(name); spelled != "" {
		existing, err := s.find(ctx, spelled)
		switch {
		case err != nil:
			return nil, err
		case existing != nil:
			return nil, errTaken(existing)
		}
	}
	return s.create(ctx, caller, &Wanted{Username: name}, v1alpha1.EventPromoted, "Made an admin")
}

// promote takes the turn of all role changes. Of two promotions at once the second is refused: otherwise it would
// replace the key that the first has just returned.
func (s *Service) promote(ctx context.Context, caller manage.Caller, name string) (issued *Issued, err error) {
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
		issued, err = s.makeAdmin(ctx, caller, user)
		return err
	})
	return issued, failure(err)
}

// makeAdmin first drops every key that is still recorded, so that none becomes valid again.
func (s *Service) makeAdmin(ctx context.Context, caller manage.Caller, user *v1alpha1.AdminUser) (*Issued, error) {
	k, err := s.Store.Generate()
	if err != nil {
		return nil, err
	}
	if err := s.Store.DropKeys(ctx, user); err != nil {
		return nil, err
	}
	if err := s.Store.Change(ctx, user, setRole(v1alpha1.RoleAdmin)); err != nil {
		return nil, err
	}
	issued := &Issued{Username: user.EffectiveUsername(), Role: v1alpha1.RoleAdmin, Secret: secretOf(user)}
	if issued.Secret == nil {
		if err := s.Store.Record(ctx, user, k, 0); err != nil {
			s.undoPromotion(ctx, user)
			return nil, err
		}
		issued.Key = secretKey(issued.Username, k)
	}
	s.event(caller, user, v1alpha1.EventPromoted, "Made an admin")
	return issued, nil
}

// undoPromotion demotes a promoted user for whom no key could be recorded.
func (s *Service) undoPromotion(ctx context.Context, user *v1alpha1.AdminUser) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := s.Store.Change(ctx, user, setRole(v1alpha1.RoleUser)); err != nil {
		s.Log.ErrorContext(
			ctx, "A user was promoted but has no key: rotate the key", "adminUser", user.Name, "error", err.Error(),
		)
	}
}

func setRole(role v1alpha1.Role) func(objects.Object) {
	return func(o objects.Object) { o.(*v1alpha1.AdminUser).Spec.Role = role }
}

// secretOf returns the Secret that the user's key is delivered in, or nil when replies carry the key.
func secretOf(user *v1alpha1.AdminUser) *SecretRef {
	if user.Spec.Delivery == v1alpha1.DeliveryResponse {
		return nil
	}
	return &SecretRef{Namespace: user.Namespace, Name: user.EffectiveSecretName()}
}

// demote drops the keys as well: a user who is promoted again, by other means than the API, must not get an old
// key back.
func (s *Service) demote(ctx context.Context, caller manage.Caller, name string) (*Issued, error) {
	var notDropped error
	user, err := s.removeAdmin(ctx, name, removal{
		refused: LastDemote,
		missing: errNotFound(name),
		plain:   errSameRole(name, v1alpha1.RoleUser),
		remove: func(ctx context.Context, user *v1alpha1.AdminUser) error {
			if err := s.Store.Change(ctx, user, setRole(v1alpha1.RoleUser)); err != nil {
				return err
			}
			notDropped = s.dropKeys(ctx, user)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	s.endSessions(ctx, name)
	s.event(caller, user, v1alpha1.EventDemoted, "Demoted")
	if notDropped != nil {
		return nil, &manage.Error{
			Kind: manage.Unavailable, Cause: notDropped,
			Text: "User '" + name + "' is demoted, but the old key is still recorded: promote and demote the user again",
		}
	}
	return &Issued{Username: name, Role: v1alpha1.RoleUser}, nil
}

// dropKeys leaves keys that are delivered in a Secret to the operator: admission lets only the operator write
// those. It runs to its end even when the caller goes away.
func (s *Service) dropKeys(ctx context.Context, user *v1alpha1.AdminUser) error {
	if secretOf(user) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	err := s.Store.DropKeys(ctx, user)
	if errors.Is(err, objects.ErrGone) {
		return nil
	}
	return err
}
