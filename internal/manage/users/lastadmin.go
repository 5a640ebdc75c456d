package users

import (
	"context"
	"errors"
	"slices"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/program"
)

// turnAdmins is the turn for changing the number of admins.
const turnAdmins = "admins"

const (
	// conditionLag is how long the operator may take to move condition LastAdmin, and retryEvery how often
	// a removal that admission refuses meanwhile is tried again.
	conditionLag = 10 * time.Second
	retryEvery   = 100 * time.Millisecond
	// undoTimeout bounds the cleanup after an operation that could not be finished.
	undoTimeout = 5 * time.Second
)

// removal describes an operation that removes an admin: a deletion, a demotion or disabling.
type removal struct {
	// refused is the error text for the last admin.
	refused string
	// missing is the error for a user who does not exist, and plain the error for a plain user. A nil plain removes that
	// user too.
	missing, plain error
	remove         func(ctx context.Context, user *v1alpha1.AdminUser) error
}

// removeAdmin counts the admins and removes one, both in one turn: the last active admin stays, even when
// several replicas remove admins at once.
func (s *Service) removeAdmin(
	ctx context.Context, name string, r removal,
) (user *v1alpha1.AdminUser, err error) {
	err = s.Turns.Turn(ctx, turnAdmins, func(ctx context.Context) error {
		user, err = s.tryRemoval(ctx, name, r)
		return err
	})
	return user, failure(err)
}

// tryRemoval counts by itself and retries while admission refuses. Admission goes by condition LastAdmin, which the
// operator may be about to move to another admin. Each try counts again.
func (s *Service) tryRemoval(ctx context.Context, name string, r removal) (*v1alpha1.AdminUser, error) {
	waiting, cancel := context.WithTimeout(ctx, conditionLag)
	defer cancel()
	for {
		user, err := s.removable(ctx, name, r)
		if err != nil {
			return nil, err
		}
		if err = r.remove(ctx, user); !errors.Is(err, objects.ErrLastAdmin) {
			return user, err
		}
		if !program.Pause(waiting, retryEvery) {
			return nil, &manage.Error{
				Kind: manage.Unavailable, Cause: err,
				Text: "The operator has not seen yet that there is another admin: try again",
			}
		}
	}
}

// removable returns the admin of this name if another active admin remains.
func (s *Service) removable(ctx context.Context, name string, r removal) (*v1alpha1.AdminUser, error) {
	adminUsers, err := s.Store.Users(ctx)
	if err != nil {
		return nil, err
	}
	adminUsers = present(adminUsers)
	i := slices.IndexFunc(adminUsers, func(u v1alpha1.AdminUser) bool { return u.EffectiveUsername() == name })
	if i < 0 {
		return nil, r.missing
	}
	user := &adminUsers[i]
	if err := checkManaged(user); err != nil {
		return nil, err
	}
	switch {
	case !user.IsAdmin() && r.plain != nil:
		return nil, r.plain
	case s.isLast(adminUsers, user):
		return nil, manage.Errorf(manage.Invalid, "%s", r.refused)
	}
	return user, nil
}

// isLast reports whether the user is the only active admin. The bootstrap key does not count.
func (s *Service) isLast(adminUsers []v1alpha1.AdminUser, user *v1alpha1.AdminUser) bool {
	return s.isActive(user) && !slices.ContainsFunc(adminUsers, func(u v1alpha1.AdminUser) bool {
		return u.UID != user.UID && s.isActive(&u)
	})
}

func (s *Service) isActive(u *v1alpha1.AdminUser) bool {
	k := currentKey(u)
	return convert.ActiveAdmin(u, k != nil && !lifecycle.Ended(k.ExpiresAt, s.Now()) && !s.isRevoked(k))
}

// isRevoked reports whether the key was revoked before, and so is refused although the AdminUser records it.
func (s *Service) isRevoked(k *lifecycle.Key) bool {
	digest, err := pepper.ParseDigest(k.Digest)
	return err == nil && s.Verifier.IsRevokedDigest(&digest)
}

// endSessions ends the sessions of a user at once. Its failure is only logged: a session is never valid for
// longer than its key, and the key is refused already.
func (s *Service) endSessions(ctx context.Context, name string) {
	if err := s.Sessions.EndForUser(ctx, name); err != nil {
		s.Log.WarnContext(ctx, "The sessions of a user are not deleted yet; they ended with the key", "user", name,
			"error", err.Error())
	}
}
