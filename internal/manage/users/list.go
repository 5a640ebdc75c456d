package users

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
)

// Source is where a user comes from.
type Source string

// Sources of users.
const (
	// FromManifest users are changed where their manifest is kept.
	FromManifest Source = "manifest"
	// FromAPI users were created through the API.
	FromAPI Source = "api"
	// FromSight users are seen users.
	FromSight Source = "seen"
)

// User is one entry of the list of users.
type User struct {
	// ID is the uid of the AdminUser, or derived from the row of a seen user.
	ID       string
	Username string
	Role     v1alpha1.Role
	// CreatedAt is the creation of the AdminUser, or when the user was first seen.
	CreatedAt time.Time
	// LastSeen and LastUsedAt are zero when they are unknown.
	LastSeen, LastUsedAt time.Time
	Source               Source
	// KeyPrefix is the prefix of the current key. It is empty without a current key.
	KeyPrefix string
	Enabled   bool
}

// List returns all users, newest first, without the bootstrap admin.
func (s *Service) List(ctx context.Context, caller manage.Caller) ([]User, error) {
	if err := s.allow(caller, actionRead); err != nil {
		return nil, err
	}
	adminUsers, err := s.Store.Users(ctx)
	if err != nil {
		return nil, failure(err)
	}
	adminUsers = present(adminUsers)
	seen, err := s.Seen.All(ctx)
	if err != nil {
		return nil, failure(err)
	}
	uses, err := s.Uses.LastUses(ctx, uidsOf(adminUsers))
	if err != nil {
		return nil, failure(err)
	}
	return merge(adminUsers, seen, uses), nil
}

// present returns the AdminUsers whose username claim is honoured and that are not being deleted.
func present(adminUsers []v1alpha1.AdminUser) []v1alpha1.AdminUser {
	return slices.DeleteFunc(
		objects.Honoured(adminUsers), func(u v1alpha1.AdminUser) bool { return u.DeletionTimestamp != nil },
	)
}

func uidsOf(adminUsers []v1alpha1.AdminUser) []string {
	uids := make([]string, 0, len(adminUsers))
	for i := range adminUsers {
		uids = append(uids, string(adminUsers[i].UID))
	}
	return uids
}

func merge(adminUsers []v1alpha1.AdminUser, seen []seenusers.User, uses map[string]lastuse.Use) []User {
	seenByName := byName(seen)
	all := make([]User, 0, len(adminUsers)+len(seen))
	for i := range adminUsers {
		name := username.Fold(adminUsers[i].EffectiveUsername())
		all = append(all, userOf(&adminUsers[i], seenByName[name], uses[string(adminUsers[i].UID)]))
		delete(seenByName, name)
	}
	for _, m := range seenByName {
		all = append(all, User{
			ID: "seen-" + strconv.FormatInt(m.ID, 10), Username: m.Username, Role: v1alpha1.RoleUser,
			CreatedAt: m.FirstSeen, LastSeen: m.LastSeen, Source: FromSight, Enabled: true,
		})
	}
	slices.SortFunc(all, func(a, b User) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.Username, b.Username))
	})
	return all
}

// byName returns the seen users by their folded names. One that was seen in several spellings is one user.
func byName(seen []seenusers.User) map[string]*seenusers.User {
	found := make(map[string]*seenusers.User, len(seen))
	for i := range seen {
		m := &seen[i]
		name := username.Fold(m.Username)
		if held := found[name]; held != nil {
			m.FirstSeen, m.LastSeen = earlier(held.FirstSeen, m.FirstSeen), later(held.LastSeen, m.LastSeen)
		}
		found[name] = m
	}
	return found
}

func userOf(o *v1alpha1.AdminUser, m *seenusers.User, use lastuse.Use) User {
	u := User{
		ID: string(o.UID), Username: o.EffectiveUsername(), Role: roleOf(o), CreatedAt: o.CreationTimestamp.Time,
		LastUsedAt: lastuse.Latest(convert.Instant(o.Status.Usage.LastUsedAt), use).At, Source: FromAPI,
		Enabled: !o.IsDisabled(),
	}
	if objects.FromManifest(o) {
		u.Source = FromManifest
	}
	u.LastSeen = u.LastUsedAt
	if m != nil {
		u.LastSeen = later(u.LastSeen, m.LastSeen)
	}
	if k := currentKey(o); k != nil {
		u.KeyPrefix = k.Prefix
	}
	return u
}

func roleOf(o *v1alpha1.AdminUser) v1alpha1.Role {
	if o.IsAdmin() {
		return v1alpha1.RoleAdmin
	}
	return v1alpha1.RoleUser
}

func currentKey(o *v1alpha1.AdminUser) *lifecycle.Key {
	return lifecycle.Current(convert.Keys(o.Status.Keys))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
