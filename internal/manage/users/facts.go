package users

import (
	"context"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Facts are everything that is known about one user.
type Facts struct {
	User
	// Record is the AdminUser as it is, and nil for a seen user.
	Record *v1alpha1.AdminUser
	// Secret is where the operator delivers the key. It is nil when replies carry the key.
	Secret *SecretRef
	// Last is true for the last active admin, who stays.
	Last bool
	// APIKeys counts the APIKeys that end with the user.
	APIKeys int
	// AccessRoles are the names of those that are bound to the username, sorted.
	AccessRoles []string
	// Addresses are the uses of the user's own key by address and day, the latest first.
	Addresses []lastuse.AddressUse
	// Entries are the latest audit entries about the user, newest first. They are nil for a caller who may not read the
	// audit trail.
	Entries []audit.Entry
}

// maxEntries bounds the audit entries of Facts.
const maxEntries = 50

// Facts returns everything that the caller may know about the user of exactly this name.
func (s *Service) Facts(ctx context.Context, caller manage.Caller, name string) (*Facts, error) {
	if err := s.allow(caller, actionRead); err != nil {
		return nil, err
	}
	f, err := s.known(ctx, name)
	if err != nil {
		return nil, failure(err)
	}
	one := []User{f.User}
	if err := s.addUses(ctx, one); err != nil {
		return nil, failure(err)
	}
	f.User, f.APIKeys = one[0], s.Verifier.OwnedKeys(f.Username)
	f.AccessRoles = s.Verifier.RolesOf(f.Username)
	if f.Record != nil {
		if f.Addresses, err = s.Uses.AddressUses(ctx, f.ID); err != nil {
			return nil, failure(err)
		}
	}
	if !s.Gate.May(caller.Caller, access.Request{Action: audit.ActionRead, Resource: access.Any}) {
		return f, nil
	}
	h := manage.History{Target: "User/" + f.Username, Limit: maxEntries}
	f.Entries, err = h.Read(ctx, s.Gate, s.Entries, caller)
	return f, failure(err)
}

// known returns the user of exactly this name, an AdminUser before a seen user.
func (s *Service) known(ctx context.Context, name string) (*Facts, error) {
	adminUsers, err := s.Store.Users(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := s.Seen.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	adminUsers = present(adminUsers)
	for i := range adminUsers {
		u := &adminUsers[i]
		if u.EffectiveUsername() != name {
			continue
		}
		f := &Facts{User: userOf(u, seen), Record: u, Last: s.isLast(adminUsers, u)}
		if u.IsAdmin() {
			f.Secret = secretOf(u)
		}
		return f, nil
	}
	if seen == nil {
		return nil, errNotFound(name)
	}
	return &Facts{User: seenUser(seen)}, nil
}
