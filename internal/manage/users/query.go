package users

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
)

// Sort is the order of a list of users. The zero Sort is NewestFirst.
type Sort string

// Orders of a list of users. A minus reverses the order: what is unknown comes last in both.
const (
	NewestFirst     Sort = "-created"
	OldestFirst     Sort = "created"
	ByName          Sort = "name"
	ByNameReverse   Sort = "-name"
	LastSeenFirst   Sort = "-last_seen"
	LastSeenLast    Sort = "last_seen"
	LastUsedFirst   Sort = "-last_used"
	LastUsedLast    Sort = "last_used"
	ByRole          Sort = "role"
	ByRoleReverse   Sort = "-role"
	BySource        Sort = "source"
	BySourceReverse Sort = "-source"
)

// Sorts lists every Sort.
func Sorts() []Sort {
	return []Sort{
		NewestFirst, OldestFirst, ByName, ByNameReverse, LastSeenFirst, LastSeenLast, LastUsedFirst, LastUsedLast,
		ByRole, ByRoleReverse, BySource, BySourceReverse,
	}
}

// needsUses reports whether the order depends on exact last uses.
func (s Sort) needsUses() bool {
	return slices.Contains([]Sort{LastSeenFirst, LastSeenLast, LastUsedFirst, LastUsedLast}, s)
}

// Query chooses users from the list. Empty fields choose every user.
type Query struct {
	// Search is a part of the username or of the key prefix, in any case.
	Search string
	Role   v1alpha1.Role
	Source Source
	// Enabled is nil for both.
	Enabled *bool
	Sort    Sort
	// Offset is how many users to leave out, and Limit how many to return; 0 means all.
	Offset, Limit int
}

// Page is a part of a list of users.
type Page struct {
	// Items is never nil.
	Items []User
	// Total counts the users of all pages.
	Total int
}

// Fields of a Query.
const (
	FieldSearch = "search"
	FieldRole   = "role"
	FieldSource = "source"
	FieldSort   = "sort"
)

// maxSearch bounds the text that is searched for, in bytes.
const maxSearch = 256

func (q *Query) check() error {
	switch {
	case len(q.Search) > maxSearch:
		return manage.InvalidField(FieldSearch, "must be at most 256 bytes")
	case q.Role != "" && q.Role != v1alpha1.RoleAdmin && q.Role != v1alpha1.RoleUser:
		return manage.InvalidField(FieldRole, "must be admin or user")
	case q.Source != "" && !slices.Contains([]Source{FromManifest, FromAPI, FromSight}, q.Source):
		return manage.InvalidField(FieldSource, "must be manifest, api or seen")
	case q.Sort != "" && !slices.Contains(Sorts(), q.Sort):
		return manage.InvalidField(FieldSort,
			"must be created, name, role, source, last_seen or last_used, with or without a -")
	}
	return nil
}

// filter returns the users that are chosen, of a list that it may change.
func (q *Query) filter(all []User) []User {
	part := strings.ToLower(strings.TrimSpace(q.Search))
	return slices.DeleteFunc(all, func(u User) bool {
		return part != "" && !strings.Contains(strings.ToLower(u.Username), part) &&
			!strings.Contains(strings.ToLower(u.KeyPrefix), part) ||
			q.Role != "" && u.Role != q.Role || q.Source != "" && u.Source != q.Source ||
			q.Enabled != nil && u.Enabled != *q.Enabled
	})
}

// page sorts a list and returns a part of it.
func (q *Query) page(all []User) []User {
	compare := q.Sort.compare()
	slices.SortFunc(all, func(a, b User) int {
		return cmp.Or(compare(&a, &b), cmp.Compare(a.Username, b.Username))
	})
	all = all[min(max(q.Offset, 0), len(all)):]
	if q.Limit > 0 {
		all = all[:min(q.Limit, len(all))]
	}
	return all
}

func (s Sort) compare() func(a, b *User) int {
	field, isReverse := strings.CutPrefix(string(cmp.Or(s, NewestFirst)), "-")
	switch field {
	case "name":
		return directed(isReverse, func(a, b *User) int {
			return strings.Compare(strings.ToLower(a.Username), strings.ToLower(b.Username))
		})
	case "role":
		return directed(isReverse, func(a, b *User) int { return cmp.Compare(a.Role, b.Role) })
	case "source":
		return directed(isReverse, func(a, b *User) int { return cmp.Compare(a.Source, b.Source) })
	case "last_seen":
		return byTime(isReverse, func(u *User) time.Time { return u.LastSeen })
	case "last_used":
		return byTime(isReverse, func(u *User) time.Time { return u.LastUsedAt })
	}
	return byTime(isReverse, func(u *User) time.Time { return u.CreatedAt })
}

func directed(isReverse bool, compare func(a, b *User) int) func(a, b *User) int {
	if isReverse {
		return func(a, b *User) int { return compare(b, a) }
	}
	return compare
}

// byTime orders by a time, unknown ones last.
func byTime(isReverse bool, of func(*User) time.Time) func(a, b *User) int {
	return func(a, b *User) int {
		x, y := of(a), of(b)
		switch {
		case x.IsZero() != y.IsZero():
			return map[bool]int{true: 1, false: -1}[x.IsZero()]
		case isReverse:
			return y.Compare(x)
		}
		return x.Compare(y)
	}
}
