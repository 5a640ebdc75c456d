package users

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// SetEnabled enables or disables a user: an admin, or a plain user with an AdminUser. read returns which. A user who is
// enabled or disabled already stays so.
func (s *Service) SetEnabled(
	ctx context.Context, caller manage.Caller, name string, read manage.Read[bool],
) (enabled bool, err error) {
	action := audit.UserDisable
	defer func() { s.record(ctx, caller, action, name, err) }()
	if err := s.allow(caller, actionWrite); err != nil {
		return false, err
	}
	if username.Equal(name, caller.Username) {
		return false, manage.Errorf(manage.Invalid, OwnDisable)
	}
	if enabled, err = read.By(s.Gate, caller, errForbidden); err != nil {
		return false, err
	}
	if !enabled {
		return false, s.disable(ctx, caller, name)
	}
	action = audit.UserEnable
	// The user may be an admin.
	if err := s.allowAdmin(caller); err != nil {
		return false, err
	}
	return true, s.enable(ctx, caller, name)
}

func (s *Service) disable(ctx context.Context, caller manage.Caller, name string) error {
	changed := false
	user, err := s.removeAdmin(ctx, name, removal{
		refused: LastDisable,
		missing: errNotFound(name),
		remove: func(ctx context.Context, user *v1alpha1.AdminUser) error {
			if user.IsDisabled() {
				return nil
			}
			changed = true
			return s.Store.Change(ctx, user, setState(v1alpha1.StateDisabled))
		},
	})
	if err != nil {
		return err
	}
	s.endSessions(ctx, name)
	if changed {
		s.event(caller, user, v1alpha1.EventDisabled, "Disabled")
	}
	return nil
}

// enable takes the turn of all role changes, so that a demotion or deletion at the same time comes before or after it.
func (s *Service) enable(ctx context.Context, caller manage.Caller, name string) error {
	err := s.Turns.Turn(ctx, turnAdmins, func(ctx context.Context) error {
		user, err := s.find(ctx, name)
		switch {
		case err != nil:
			return err
		case user == nil:
			return errNotFound(name)
		}
		if err := checkManaged(user); err != nil || !user.IsDisabled() {
			return err
		}
		if err := s.Store.Change(ctx, user, setState(v1alpha1.StateActive)); err != nil {
			return err
		}
		s.event(caller, user, v1alpha1.EventEnabled, "Enabled")
		return nil
	})
	return failure(err)
}

func setState(state v1alpha1.State) func(objects.Object) {
	return func(o objects.Object) { o.(*v1alpha1.AdminUser).Spec.State = state }
}
