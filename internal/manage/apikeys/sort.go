package apikeys

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Sort is the order of a list. The zero Sort is the newest first.
type Sort struct {
	By SortBy
	// Descending puts the greatest first.
	Descending bool
}

// SortBy is what a list is sorted by. Empty: the creation, newest first.
type SortBy string

// What lists can be sorted by.
const (
	SortName     SortBy = "name"
	SortCreated  SortBy = "created"
	SortExpires  SortBy = "expires"
	SortLastUsed SortBy = "last_used"
)

// ParseSort reads name, created, expires or last_used, with a minus for the greatest first.
func ParseSort(text string) (Sort, error) {
	by, descending := strings.CutPrefix(text, "-")
	s := Sort{By: SortBy(by), Descending: descending}
	if !slices.Contains([]SortBy{SortName, SortCreated, SortExpires, SortLastUsed}, s.By) {
		return Sort{}, manage.InvalidField("sort", "must be name, created, expires or last_used, or one of them after a -")
	}
	return s, nil
}

// String returns the text that ParseSort reads. It is empty for the zero Sort.
func (s Sort) String() string {
	if s.Descending {
		return "-" + string(s.By)
	}
	return string(s.By)
}

// sort orders keys that are sorted newest first. Keys that are equal stay so.
func (s *Service) sort(keys []v1alpha1.APIKey, by Sort, uses map[string]lastuse.Use) {
	var order func(a, b *sortable) int
	switch by.By {
	case SortName:
		order = func(a, b *sortable) int {
			return cmp.Or(strings.Compare(a.folded, b.folded), strings.Compare(a.name, b.name))
		}
	case SortCreated:
		order = func(a, b *sortable) int { return cmp.Compare(a.position.created, b.position.created) }
	case SortExpires:
		order = func(a, b *sortable) int { return a.end.Compare(b.end) }
	case SortLastUsed:
		order = func(a, b *sortable) int { return a.used.Compare(b.used) }
	default:
		return
	}
	if by.Descending {
		ascending := order
		order = func(a, b *sortable) int { return ascending(b, a) }
	}
	rows := make([]sortable, len(keys))
	for i := range keys {
		rows[i] = sortable{
			key: &keys[i], name: nameOf(&keys[i]), used: lastUseOf(&keys[i], uses).At, position: positionOf(&keys[i]),
		}
		switch by.By {
		case SortName:
			rows[i].folded = strings.ToLower(rows[i].name)
		case SortExpires:
			rows[i].end = endless
			if end, _ := s.endOf(&keys[i]); end != nil {
				rows[i].end = *end
			}
		}
	}
	slices.SortFunc(rows, func(a, b sortable) int { return cmp.Or(order(&a, &b), a.position.compare(b.position)) })
	sorted := make([]v1alpha1.APIKey, len(keys))
	for i := range rows {
		sorted[i] = *rows[i].key
	}
	copy(keys, sorted)
}

// sortable is a key with what a list is sorted by.
type sortable struct {
	key          *v1alpha1.APIKey
	name, folded string
	end, used    time.Time
	position     position
}

// endless sorts keys without an end after all others.
var endless = time.Unix(1<<60, 0)
