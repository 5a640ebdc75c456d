package apikeys

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"keywright.dev/keywright/api/v1alpha1"
)

// keys are those of a subject that are not being deleted, newest first.
func (s *Service) keys(ctx context.Context, by By, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error) {
	if err := checkSubject(subject); err != nil && subject.Name != "" {
		if by.owns(subject) {
			// Somebody whom a proxy names may have a name that no key can have: then they have none.
			return nil, nil
		}
		return nil, err
	}
	all, err := s.Registry.Keys(ctx, subject)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(k v1alpha1.APIKey) bool { return k.DeletionTimestamp != nil })
	slices.SortFunc(all, func(a, b v1alpha1.APIKey) int { return positionOf(&a).compare(positionOf(&b)) })
	return all, nil
}

func (s *Service) find(ctx context.Context, by By, subject v1alpha1.Subject, id string) (*v1alpha1.APIKey, error) {
	all, err := s.keys(ctx, by, subject)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(k v1alpha1.APIKey) bool { return string(k.UID) == id })
	if i < 0 {
		return nil, &Error{Kind: NotFound, Text: "API key not found"}
	}
	return &all[i], nil
}

func (s *Service) list(ctx context.Context, by By, subject v1alpha1.Subject, read Read[Query]) (*Page, error) {
	if err := s.mayAsk(by, subject, ActionRead); err != nil {
		return nil, err
	}
	q, err := read()
	if err != nil {
		return nil, err
	}
	after, err := readCursor(q.After)
	if err != nil {
		return nil, err
	}
	found, err := s.keys(ctx, by, subject)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(k v1alpha1.APIKey) bool { return q.Name != "" && !matches(q.Name, nameOf(&k)) })
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

// position orders keys, newest first. It stays what it is, whatever becomes of the others.
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

// matches says whether a name is as a pattern says, in which * is any characters and ? is one.
func matches(pattern, name string) bool {
	p, n := []rune(pattern), []rune(name)
	// After a mismatch, the last * takes one character more.
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
