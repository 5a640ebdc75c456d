package users

import (
	"context"
	"strconv"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Delete deletes an admin, and returns how many APIKeys are refused because of it. When read returns true, it also
// deletes a plain user or a seen user.
func (s *Service) Delete(
	ctx context.Context, caller manage.Caller, name string, read manage.Read[bool],
) (refusedKeys int, err error) {
	action := audit.UserDelete
	defer func() { s.recordDetail(ctx, caller, action, name, refusal(refusedKeys), err) }()
	if err := s.allow(caller, actionWrite); err != nil {
		return 0, err
	}
	if username.Equal(name, caller.Username) {
		return 0, manage.Errorf(manage.Invalid, OwnDelete)
	}
	forget, err := read.By(s.Gate, caller, errForbidden)
	if err != nil {
		return 0, err
	}
	user, err := s.find(ctx, name)
	isPlain := user == nil || !user.IsAdmin()
	switch {
	case err != nil:
		return 0, err
	case isPlain && forget:
		action = audit.UserForget
		return s.forget(ctx, caller, name)
	case isPlain:
		return 0, errNotAdmin(name)
	}
	return s.delete(ctx, caller, name)
}

// refusal says how many APIKeys are refused because a user is gone. It is empty for none.
func refusal(keys int) string {
	switch keys {
	case 0:
		return ""
	case 1:
		return "1 API key of the user is refused"
	}
	return strconv.Itoa(keys) + " API keys of the user are refused"
}

// deleteObject deletes an AdminUser and returns how many APIKeys are refused because of it.
func (s *Service) deleteObject(ctx context.Context, user *v1alpha1.AdminUser) (refusedKeys int, err error) {
	refusedKeys = s.Verifier.OwnedKeys(user.EffectiveUsername())
	if err := s.Store.Delete(ctx, user); err != nil {
		return 0, err
	}
	return refusedKeys, nil
}

func (s *Service) delete(ctx context.Context, caller manage.Caller, name string) (refusedKeys int, err error) {
	user, err := s.removeAdmin(ctx, name, removal{
		refused: LastDelete,
		missing: errNotAdmin(name),
		plain:   errNotAdmin(name),
		remove: func(ctx context.Context, user *v1alpha1.AdminUser) (err error) {
			refusedKeys, err = s.deleteObject(ctx, user)
			return err
		},
	})
	if err != nil {
		return 0, err
	}
	s.endSessions(ctx, name)
	s.deleted(caller, user, refusedKeys)
	// A user who was seen before the promotion must not appear as a plain user now.
	if err := s.removeSeen(ctx, name); err != nil {
		s.Log.WarnContext(ctx, "A deleted user is still listed as seen", "user", name, "error", err.Error())
	}
	return refusedKeys, nil
}

// deleted writes the event of a deletion.
func (s *Service) deleted(caller manage.Caller, user *v1alpha1.AdminUser, refusedKeys int) {
	message := "Deleted by " + caller.Subject + " through the API" + caller.Because()
	if refusedKeys > 0 {
		message += ": " + refusal(refusedKeys)
	}
	s.Store.Event(user, v1alpha1.EventDeleted, message)
}

// forget removes a plain user: the AdminUser, if there is one, and the seen user.
func (s *Service) forget(ctx context.Context, caller manage.Caller, name string) (refusedKeys int, err error) {
	user, refusedKeys, err := s.deletePlain(ctx, name)
	if err != nil {
		return 0, failure(err)
	}
	if user != nil {
		s.deleted(caller, user, refusedKeys)
	}
	seen, err := s.Seen.Find(ctx, name)
	switch {
	case err != nil:
		return refusedKeys, failure(err)
	case seen == nil && user == nil:
		return 0, errNotFound(name)
	}
	if err := s.removeSeen(ctx, name); err != nil {
		return refusedKeys, failure(err)
	}
	return refusedKeys, nil
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
func (s *Service) deletePlain(
	ctx context.Context, name string,
) (user *v1alpha1.AdminUser, refusedKeys int, err error) {
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
		refusedKeys, err = s.deleteObject(ctx, user)
		return err
	})
	return user, refusedKeys, err
}
