package users

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage/audit"
)

// Delete deletes an admin; where read says so also a plain user, or the memory of one who was merely seen.
func (s *Service) Delete(ctx context.Context, by By, name string, read Read[bool]) (err error) {
	action := audit.UserDelete
	defer func() { s.record(ctx, by, action, name, err) }()
	if err := s.allow(by, actionWrite); err != nil {
		return err
	}
	user, err := s.find(ctx, name)
	if err != nil {
		return err
	}
	if err := changeable(user); err != nil {
		return err
	}
	if name == by.Username {
		return failf(Invalid, "Cannot delete your own account")
	}
	forget, err := read()
	isPlain := user == nil || !user.IsAdmin()
	switch {
	case err != nil:
		return err
	case isPlain && forget:
		action = audit.UserForget
		return s.forget(ctx, by, name)
	case isPlain:
		return errNoAdmin(name)
	}
	return s.delete(ctx, by, name)
}

func (s *Service) delete(ctx context.Context, by By, name string) error {
	user, err := s.removeAdmin(ctx, name, removal{
		refused: "Cannot delete the last admin user",
		missing: errNoAdmin(name),
		plain:   errNoAdmin(name),
		remove:  func(ctx context.Context, user *v1alpha1.AdminUser) error { return s.Registry.Delete(ctx, user) },
	})
	if err != nil {
		return err
	}
	s.endSessions(ctx, name)
	s.tell(by, user, v1alpha1.EventDeleted, "Deleted")
	// Who was seen before they were an admin is not to come back as a plain user.
	if _, err := s.Seen.Remove(ctx, name); err != nil {
		s.Log.WarnContext(ctx, "A deleted user is still remembered as seen", "user", name, "error", err.Error())
	}
	return nil
}

// forget removes a plain user: the object, if there is one, and the memory.
func (s *Service) forget(ctx context.Context, by By, name string) error {
	user, err := s.removePlain(ctx, name)
	if err != nil {
		return failure(err)
	}
	if user != nil {
		s.tell(by, user, v1alpha1.EventDeleted, "Deleted")
	}
	known, err := s.Seen.Remove(ctx, name)
	switch {
	case err != nil:
		return failure(err)
	case !known && user == nil:
		return errNotFound(name)
	}
	return nil
}

// removePlain looks again in the turn: who was made an admin meanwhile is counted as one, and not deleted here.
func (s *Service) removePlain(ctx context.Context, name string) (user *v1alpha1.AdminUser, err error) {
	err = s.Turns.Turn(ctx, turnAdmins, func(ctx context.Context) error {
		user, err = s.find(ctx, name)
		switch {
		case err != nil || user == nil:
			return err
		case user.IsAdmin():
			return failf(Conflict, "User '%s' was made an admin meanwhile", name)
		}
		if err := changeable(user); err != nil {
			return err
		}
		return s.Registry.Delete(ctx, user)
	})
	return user, err
}
