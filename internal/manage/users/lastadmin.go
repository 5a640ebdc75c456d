package users

import (
	"context"
	"errors"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/program"
)

// turnAdmins is taken by whoever changes how many admins there are, on whatever replica.
const turnAdmins = "admins"

const (
	// markLags is how long the mark of the last admin may stay on somebody who is not, and askAgain how often it is tried.
	markLags = 10 * time.Second
	askAgain = 100 * time.Millisecond
	// undoTimeout is how long it may take to put back what could not be finished.
	undoTimeout = 5 * time.Second
)

// removal is what takes an admin away.
type removal struct {
	// refused is said of the last admin.
	refused string
	// missing is for who is not there, and plain for who is no admin.
	missing, plain error
	remove         func(ctx context.Context, user *v1alpha1.AdminUser) error
}

// removeAdmin counts the admins and takes one away, in one turn: of the last two, whoever goes about it through whichever
// replica, one stays.
func (s *Service) removeAdmin(ctx context.Context, name string, r removal) (user *v1alpha1.AdminUser, err error) {
	err = s.Turns.Turn(ctx, turnAdmins, func(ctx context.Context) error {
		user, err = s.tryRemoval(ctx, name, r)
		return err
	})
	return user, failure(err)
}

// tryRemoval counts for itself. Admission goes by a mark that the operator sets, and that may lag; it is waited for, and
// counted anew each time.
func (s *Service) tryRemoval(ctx context.Context, name string, r removal) (*v1alpha1.AdminUser, error) {
	waiting, cancel := context.WithTimeout(ctx, markLags)
	defer cancel()
	for {
		user, err := s.removable(ctx, name, r)
		if err != nil {
			return nil, err
		}
		if err = r.remove(ctx, user); !errors.Is(err, objects.ErrLastAdmin) {
			return user, err
		}
		if !program.Pause(waiting, askAgain) {
			return nil, &Error{Kind: Unavailable, Text: "The operator has not seen yet that there is another admin: try again", Cause: err}
		}
	}
}

// removable is the admin of that name, if another one is left.
func (s *Service) removable(ctx context.Context, name string, r removal) (*v1alpha1.AdminUser, error) {
	adminUsers, err := s.Registry.Users(ctx)
	if err != nil {
		return nil, err
	}
	adminUsers = present(adminUsers)
	i := slices.IndexFunc(adminUsers, func(u v1alpha1.AdminUser) bool { return u.EffectiveUsername() == name })
	if i < 0 {
		return nil, r.missing
	}
	user := &adminUsers[i]
	if err := changeable(user); err != nil {
		return nil, err
	}
	switch {
	case !user.IsAdmin():
		return nil, r.plain
	case s.isLast(adminUsers, user):
		return nil, failf(Invalid, "%s", r.refused)
	}
	return user, nil
}

// isLast: the user is the only one who can come in with an admin's own key. The bootstrap key does not count.
func (s *Service) isLast(adminUsers []v1alpha1.AdminUser, user *v1alpha1.AdminUser) bool {
	return s.isActive(user) && !slices.ContainsFunc(adminUsers, func(u v1alpha1.AdminUser) bool {
		return u.UID != user.UID && s.isActive(&u)
	})
}

func (s *Service) isActive(u *v1alpha1.AdminUser) bool {
	k := currentKey(u)
	return convert.ActiveAdmin(u, k != nil && !lifecycle.Ended(k.NotAfter, s.Now()))
}

// endSessions ends those of the user at once. That they can't be reached now is no reason to fail: no session is worth
// more than its key, and that is refused.
func (s *Service) endSessions(ctx context.Context, name string) {
	if err := s.Sessions.EndForUser(ctx, name); err != nil {
		s.Log.WarnContext(ctx, "Sessions of a user end with their key, and are not removed yet", "user", name, "error", err.Error())
	}
}
