package users

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Delete deletes an admin. When read returns true, it also deletes a plain user or a seen user.
func (s *Service) Delete(
	ctx context.Context, caller manage.Caller, name string, read manage.Read[bool],
) (err error) {
	action := audit.UserDelete
	defer func() { s.record(ctx, caller, action, name, err) }()
	if err := s.allow(caller, actionWrite); err != nil {
		return err
	}
	if username.Equal(name, caller.Username) {
		return manage.Errorf(manage.Invalid, "Cannot delete your own account")
	}
	forget, err := read()
	if err != nil {
		return err
	}
	user, err := s.find(ctx, name)
	isPlain := user == nil || !user.IsAdmin()
	switch {
	case err != nil:
		return err
	case isPlain && forget:
		action = audit.UserForget
		return s.forget(ctx, caller, name)
	case isPlain:
		return errNotAdmin(name)
	}
	return s.delete(ctx, caller, name)
}

func (s *Service) delete(ctx context.Context, caller manage.Caller, name string) error {
	user, err := s.removeAdmin(ctx, name, removal{
		refused: "Cannot delete the last admin user",
		missing: errNotAdmin(name),
		plain:   errNotAdmin(name),
		remove:  func(ctx context.Context, user *v1alpha1.AdminUser) error { return s.Store.Delete(ctx, user) },
	})
	if err != nil {
		return err
	}
	s.endSessions(ctx, name)
	s.event(caller, user, v1alpha1.EventDeleted, "Deleted")
	// A user who was seen before the promotion must not appear as a plain user now.
	if err := s.removeSeen(ctx, name); err != nil {
		s.Log.WarnContext(ctx, "A deleted user is still listed as seen", "user", name, "error", err.Error())
	}
	return nil
}

// forget removes a plain user: the AdminUser, if there is one, and the seen user.
func (s *Service) forget(ctx context.Context, caller manage.Caller, name string) error {
	user, err := s.deletePlain(ctx, name)
	if err != nil {
		return failure(err)
	}
	if user != nil {
		s.event(caller, user, v1alpha1.EventDeleted, "Deleted")
	}
	seen, err := s.Seen.Find(ctx, name)
	switch {
	case err != nil:
		return failure(err)
	case seen == nil && user == nil:
		return errNotFound(name)
	}
	if err := s.removeSeen(ctx, name); err != nil {
		return failure(err)
	}
	return nil
}

// removeSeen removes a seen user, in every spelling.
func (s *Service) removeSeen(ctx context.Context, name string) error {
	others, err := s.seenAs(ctx, name)
	for _, spelling := range append(others, name) {
		if _, err := s.Seen.Remove(ctx, spelling); err != nil {
			return err
		}
	}
	return err
}

// seenAs returns the spellings in which a user was seen.
func (s *Service) seenAs(ctx context.Context, name string) (spellings []string, err error) {
	all, err := s.Seen.All(ctx)
	for i := range all {
		if username.Equal(all[i].Username, name) {
			spellings = append(spellings, all[i].Username)
		}
	}
	return spellings, err
}

// deletePlain checks the role again within the turn: a user who was promoted in the meantime counts as an
// admin, and is not deleted here.
func (s *Service) deletePlain(ctx context.Context, name string) (user *v1alpha1.AdminUser, err error) {
	err = s.Turns.Turn(ctx, turnAdmins, func(ctx context.Context) error {
		user, err = s.find(ctx, name)
		switch {
		case err != nil || user == nil:
			return err
		case user.IsAdmin():
			return manage.Errorf(manage.Conflict, "User '%s' was made an admin meanwhile", name)
		}
		if err := checkManaged(user); err != nil {
			return err
		}
		return s.Store.Delete(ctx, user)
	})
	return user, err
}
