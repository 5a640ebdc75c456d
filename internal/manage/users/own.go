package users

import (
	"context"
	"slices"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/manage"
)

// errEnded is the error for a caller whose key has ended, which this server does not know yet.
var errEnded = &manage.Error{Kind: manage.Unauthorized, Text: "invalid token"}

// Presented returns the AdminUser of the caller's key, and that key as it is recorded. That takes no right.
func (s *Service) Presented(ctx context.Context, caller manage.Caller) (*v1alpha1.AdminUser, *lifecycle.Key, error) {
	user, err := s.find(ctx, caller.Username)
	if err != nil {
		return nil, nil, err
	}
	if user == nil || string(user.UID) != caller.KeyObjectUID() {
		return nil, nil, errEnded
	}
	recorded := convert.Keys(user.Status.Keys)
	i := slices.IndexFunc(recorded, func(one lifecycle.Key) bool { return one.ID == caller.KeyID })
	if i < 0 {
		return nil, nil, errEnded
	}
	return user, &recorded[i], nil
}
