package fakeobjects

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"keywright.dev/keywright/internal/manage/claims/link"
)

// Links is a store of claim links in memory. It does not bound them.
type Links struct {
	mu  sync.Mutex
	all []storedLink
}

type storedLink struct {
	link.Link
	token    link.Hash
	attempt  string
	reserved time.Time
	settled  bool
}

var _ link.Store = &Links{}

// Add adds a link.
func (l *Links) Add(_ context.Context, one *link.Link, token link.Hash) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, storedLink{Link: *one, token: token})
	return true, nil
}

// find calls change with the link that is, and reports what it returns. It returns false without such a link.
func (l *Links) find(is, change func(*storedLink) bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.all, func(s storedLink) bool { return is(&s) })
	return i >= 0 && change(&l.all[i])
}

func withID(id string) func(*storedLink) bool { return func(s *storedLink) bool { return s.ID == id } }

// ByToken returns the link of a token, or nil.
func (l *Links) ByToken(_ context.Context, token link.Hash) (found *link.Link, err error) {
	l.find(func(s *storedLink) bool { return s.token == token }, func(s *storedLink) bool {
		found = new(s.Link)
		return true
	})
	return found, nil
}

// ByID returns the link with an id, or nil.
func (l *Links) ByID(_ context.Context, id string) (found *link.Link, err error) {
	l.find(withID(id), func(s *storedLink) bool {
		found = new(s.Link)
		return true
	})
	return found, nil
}

// List returns all links.
func (l *Links) List(context.Context) (all []link.Link, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		all = append(all, l.all[i].Link)
	}
	slices.SortStableFunc(all, func(a, b link.Link) int {
		isEnded := func(l link.Link) int { return strings.Compare(string(l.State), string(link.Open)) }
		return cmp.Or(cmp.Compare(isEnded(a)*isEnded(a), isEnded(b)*isEnded(b)), b.CreatedAt.Compare(a.CreatedAt))
	})
	return all, nil
}

// Reserve reserves an open link.
func (l *Links) Reserve(_ context.Context, id, attempt string, now, until time.Time) (bool, error) {
	return l.find(withID(id), func(s *storedLink) bool {
		if s.State != link.Open || !s.EndsAt.After(now) || s.reserved.After(now) && s.attempt != attempt {
			return false
		}
		s.attempt, s.reserved = attempt, until
		return true
	}), nil
}

// Release releases a reservation.
func (l *Links) Release(_ context.Context, id, attempt string) error {
	l.find(withID(id), func(s *storedLink) bool {
		if s.attempt == attempt {
			s.attempt, s.reserved = "", time.Time{}
		}
		return true
	})
	return nil
}

// Replace records the keys of a rotation.
func (l *Links) Replace(_ context.Context, id, attempt, succeeds, issued string) (bool, error) {
	return l.find(withID(id), func(s *storedLink) bool {
		if s.State != link.Open || s.attempt != attempt {
			return false
		}
		s.Succeeds, s.Issued = succeeds, issued
		return true
	}), nil
}

// Use marks a link as used.
func (l *Links) Use(_ context.Context, id, attempt string, now time.Time) (bool, error) {
	return l.find(withID(id), func(s *storedLink) bool {
		if s.State != link.Open || s.attempt != attempt {
			return false
		}
		s.State, s.EndedAt, s.settled = link.Used, now, true
		return true
	}), nil
}

// End ends an open link.
func (l *Links) End(_ context.Context, id, attempt string, state link.State, now time.Time) (bool, error) {
	return l.find(withID(id), func(s *storedLink) bool {
		if s.State != link.Open || s.reserved.After(now) && s.attempt != attempt {
			return false
		}
		s.State, s.EndedAt = state, now
		return true
	}), nil
}

// Unsettled returns links to settle.
func (l *Links) Unsettled(_ context.Context, now time.Time) (all []link.Link, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.all {
		s := &l.all[i]
		isOver := s.State == link.Open && !s.EndsAt.After(now) && !s.reserved.After(now)
		if isOver || s.State != link.Open && !s.settled {
			all = append(all, s.Link)
		}
	}
	return all, nil
}

// Settle marks a link as settled.
func (l *Links) Settle(_ context.Context, id string) error {
	l.find(withID(id), func(s *storedLink) bool {
		s.settled = s.State != link.Open
		return true
	})
	return nil
}
