package apikeys

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Query chooses keys from a list.
type Query struct {
	// Name is a pattern for the key's name: * matches any characters and ? one. An empty Name matches every key.
	Name string
	Filter
	Sort Sort
	// After is the Key.Cursor of the last key of the page before, without a Sort. It is empty for the first page.
	After string
	// Offset is how many keys to leave out, and Limit how many to return; 0 means all.
	Offset, Limit int
}

// Page is a part of a list of keys.
type Page struct {
	// Items is never nil.
	Items []Key
	// Total counts all keys that match, on every page.
	Total int
	// More is true when keys follow this page.
	More bool
}

// keys returns the keys of a subject, newest first, without those that are being deleted.
func (s *Service) keys(ctx context.Context, caller manage.Caller, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error) {
	if hasNone, err := s.hasNoKeys(caller, subject); hasNone || err != nil {
		return nil, err
	}
	all, err := s.Store.Keys(ctx, subject)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(k v1alpha1.APIKey) bool { return k.DeletionTimestamp != nil })
	slices.SortFunc(all, func(a, b v1alpha1.APIKey) int { return positionOf(&a).compare(positionOf(&b)) })
	return all, nil
}

// hasNoKeys refuses an invalid subject. It reports true for a caller whom a proxy names and whose name no subject can
// have.
func (s *Service) hasNoKeys(caller manage.Caller, subject v1alpha1.Subject) (bool, error) {
	if subject.Name == "" {
		return false, nil
	}
	err := s.checkSubject(subject)
	if err != nil && owns(caller, subject) {
		return true, nil
	}
	return false, err
}

// find returns the key of a subject with this uid. The index knows its name, so that it is one read, whatever the
// number of keys. A key that the index does not have yet is looked for among all keys of the subject.
func (s *Service) find(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string,
) (*v1alpha1.APIKey, error) {
	hasNone, err := s.hasNoKeys(caller, subject)
	switch {
	case err != nil:
		return nil, err
	case hasNone:
		return nil, manage.Errorf(manage.NotFound, notFound)
	}
	if named, _, found := s.Verifier.APIKey(id); found {
		k, err := s.Store.Key(ctx, named)
		if err != nil {
			return nil, err
		}
		if k != nil && string(k.UID) == id && k.DeletionTimestamp == nil && isOf(k, subject) {
			return k, nil
		}
	}
	all, err := s.keys(ctx, caller, subject)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(k v1alpha1.APIKey) bool { return string(k.UID) == id })
	if i < 0 {
		return nil, manage.Errorf(manage.NotFound, notFound)
	}
	return &all[i], nil
}

// isOf reports whether a list of the subject's keys has this one.
func isOf(k *v1alpha1.APIKey, subject v1alpha1.Subject) bool {
	is := k.Spec.Subject
	return (subject.Kind == "" || is.Kind == subject.Kind) && (subject.Name == "" || is.Name == subject.Name ||
		is.Kind == v1alpha1.SubjectUser && username.Equal(is.Name, subject.Name))
}

func (s *Service) list(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*Query],
) (*Page, error) {
	if err := s.authorize(caller, subject, ActionRead); err != nil {
		return nil, err
	}
	q, err := read()
	if err != nil {
		return nil, err
	}
	if err := s.checkFilter(&q.Filter); err != nil {
		return nil, err
	}
	after, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	if q.Mine && subject.Kind == "" {
		// The keys of one subject are read faster than all.
		subject = ownSubject(caller)
	}
	found, err := s.keys(ctx, caller, subject)
	if err != nil {
		return nil, err
	}
	return s.pageOf(ctx, s.keep(found, q, caller), q, after)
}

// pageOf applies what needs last uses, and cuts the page out of the keys that match otherwise.
func (s *Service) pageOf(ctx context.Context, found []v1alpha1.APIKey, q *Query, after *position) (*Page, error) {
	var uses map[string]lastuse.Use
	if q.Unused > 0 || q.NeverUsed || q.Sort.By == SortLastUsed {
		var err error
		if uses, err = s.lastUses(ctx, found); err != nil {
			return nil, err
		}
		found = keepByUse(found, &q.Filter, uses, s.Now())
	}
	s.sort(found, q.Sort, uses)
	total := len(found)
	if after != nil {
		found = slices.DeleteFunc(found, func(k v1alpha1.APIKey) bool { return positionOf(&k).compare(*after) <= 0 })
	}
	found = found[min(max(q.Offset, 0), len(found)):]
	rest := len(found)
	if q.Limit > 0 {
		found = found[:min(q.Limit, rest)]
	}
	items, err := s.view(ctx, found)
	return &Page{Items: items, Total: total, More: len(found) < rest}, err
}

// position orders keys, newest first. The position of a key never changes.
type position struct {
	created int64
	object  string
}

func positionOf(k *v1alpha1.APIKey) position {
	return position{k.CreationTimestamp.Unix(), k.Namespace + "/" + k.Name}
}

func (p position) compare(other position) int {
	return cmp.Or(cmp.Compare(other.created, p.created), strings.Compare(p.object, other.object))
}

// Cursor returns the key's position in a list, for Query.After.
func (k *Key) Cursor() string {
	position := strconv.FormatInt(k.CreatedAt.Unix(), 10) + " " + k.Object.String()
	return base64.RawURLEncoding.EncodeToString([]byte(position))
}

// parseCursor returns nil for an empty cursor.
func parseCursor(cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	created, object, found := strings.Cut(string(text), " ")
	at, parseErr := strconv.ParseInt(created, 10, 64)
	if err != nil || parseErr != nil || !found {
		return nil, InvalidCursor()
	}
	return &position{at, object}, nil
}

// InvalidCursor returns the error for a cursor that no list has returned.
func InvalidCursor() error { return manage.InvalidField("cursor", "is not the endCursor of a page") }

// matches reports whether a name matches a pattern in which * stands for any characters and ? for one.
func matches(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	// After a mismatch, the last * takes one more character.
	star, taken, i, j := -1, 0, 0, 0
	for j < len(n) {
		switch {
		case i < len(p) && p[i] == '*':
			star, taken = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == n[j]):
			i++
			j++
		case star >= 0:
			taken++
			i, j = star+1, taken
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}
