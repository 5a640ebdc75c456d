package users

import (
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
	// KeyID is the key id of the current key, or empty.
	KeyID   string
	Enabled bool
}

// List returns users, without the bootstrap admin. The last uses are read for the page alone, unless the order needs
// those of all.
func (s *Service) List(ctx context.Context, caller manage.Caller, read manage.Read[*Query]) (*Page, error) {
	if err := s.allow(caller, actionRead); err != nil {
		return nil, err
	}
	q, err := read.By(s.Gate, caller, errForbidden)
	if err != nil {
		return nil, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	adminUsers, err := s.Store.Users(ctx)
	if err != nil {
		return nil, failure(err)
	}
	seen, err := s.Seen.All(ctx)
	if err != nil {
		return nil, failure(err)
	}
	found := q.filter(merge(present(adminUsers), seen))
	page := &Page{Total: len(found)}
	if q.Sort.needsUses() {
		if err := s.addUses(ctx, found); err != nil {
			return nil, failure(err)
		}
		page.Items = q.page(found)
		return page, nil
	}
	page.Items = q.page(found)
	return page, failure(s.addUses(ctx, page.Items))
}

// addUses adds the last uses in the database, which are later than those in status.
func (s *Service) addUses(ctx context.Context, listed []User) error {
	var uids []string
	for i := range listed {
		if listed[i].Source != FromSight {
			uids = append(uids, listed[i].ID)
		}
	}
	if len(uids) == 0 {
		return nil
	}
	uses, err := s.Uses.LastUses(ctx, uids)
	if err != nil {
		return err
	}
	for i := range listed {
		u := &listed[i]
		if use, found := uses[u.ID]; found {
			u.LastUsedAt = lastuse.Latest(u.LastUsedAt, use).At
			u.LastSeen = later(u.LastSeen, u.LastUsedAt)
		}
	}
	return nil
}

// present returns the AdminUsers whose username claim is honoured and that are not being deleted.
func present(adminUsers []v1alpha1.AdminUser) []v1alpha1.AdminUser {
	return slices.DeleteFunc(
		objects.Honoured(adminUsers), func(u v1alpha1.AdminUser) bool { return u.DeletionTimestamp != nil },
	)
}

// merge returns AdminUsers and seen users, in no order.
func merge(adminUsers []v1alpha1.AdminUser, seen []seenusers.User) []User {
	seenByName := byName(seen)
	all := make([]User, 0, len(adminUsers)+len(seen))
	for i := range adminUsers {
		name := username.Fold(adminUsers[i].EffectiveUsername())
		all = append(all, userOf(&adminUsers[i], seenByName[name]))
		delete(seenByName, name)
	}
	for _, m := range seenByName {
		all = append(all, seenUser(m))
	}
	return all
}

func seenUser(m *seenusers.User) User {
	return User{
		ID: "seen-" + strconv.FormatInt(m.ID, 10), Username: m.Username, Role: v1alpha1.RoleUser,
		CreatedAt: m.FirstSeen, LastSeen: m.LastSeen, Source: FromSight, Enabled: true,
	}
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

// userOf returns an AdminUser with the last use in its status. m may be nil.
func userOf(o *v1alpha1.AdminUser, m *seenusers.User) User {
	u := User{
		ID: string(o.UID), Username: o.EffectiveUsername(), Role: roleOf(o), CreatedAt: o.CreationTimestamp.Time,
		LastUsedAt: convert.Instant(o.Status.Usage.LastUsedAt), Source: FromAPI, Enabled: !o.IsDisabled(),
	}
	if objects.FromManifest(o) {
		u.Source = FromManifest
	}
	u.LastSeen = u.LastUsedAt
	if m != nil {
		u.LastSeen = later(u.LastSeen, m.LastSeen)
	}
	if k := currentKey(o); k != nil {
		u.KeyPrefix, u.KeyID = k.Prefix, k.ID
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
