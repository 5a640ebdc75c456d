package price

import (
	"cmp"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/config/prices"
	"keywright.dev/keywright/internal/manage/usage"
)

// Sources of prices, as in the identifier of a price.
const (
	// Setting is PRICES.
	Setting = "config"
	// File is the mounted file.
	File = "file"
)

// Table has the prices in force. It is safe for concurrent use. The zero Table has no prices.
type Table struct {
	setting, file atomic.Pointer[source]
}

// source has the prices of one source. It is immutable.
type source struct {
	schedules map[name][]dated
	count     int
}

type name struct{ provider, model string }

// dated is a price and when it begins to hold. A model has them newest first.
type dated struct {
	from time.Time
	id   string
	model
}

// UseSetting replaces the prices of the setting.
func (t *Table) UseSetting(all []prices.Price) { t.setting.Store(newSource(Setting, all)) }

// UseFile replaces the prices of the mounted file.
func (t *Table) UseFile(all []prices.Price) { t.file.Store(newSource(File, all)) }

// Count returns how many prices there are of the setting and of the file.
func (t *Table) Count() (setting, file int) { return t.setting.Load().size(), t.file.Load().size() }

func (s *source) size() int {
	if s == nil {
		return 0
	}
	return s.count
}

func newSource(called string, all []prices.Price) *source {
	type key struct {
		name
		from string
	}
	groups := map[key]model{}
	for i := range all {
		p := &all[i]
		provider, model := prices.Canonical(p.Provider, p.Model)
		k := key{name{provider, model}, p.From}
		groups[k] = append(groups[k], *p)
	}
	s := &source{schedules: map[name][]dated{}, count: len(all)}
	for k, group := range groups {
		slices.SortFunc(group, func(a, b prices.Price) int {
			return cmp.Or(cmp.Compare(b.Above, a.Above), cmp.Compare(b.ServiceTier, a.ServiceTier))
		})
		s.schedules[k.name] = append(s.schedules[k.name], dated{group[0].Since(), identify(called, &group[0]), group})
	}
	for _, schedule := range s.schedules {
		slices.SortFunc(schedule, func(a, b dated) int { return b.from.Compare(a.from) })
	}
	return s
}

// identify returns the identifier of a price: config:openai/gpt-4o@2030-01-31.
func identify(source string, p *prices.Price) string {
	id := source + ":"
	if p.Provider != "" {
		id += p.Provider + "/"
	}
	id += p.Model
	if p.From != "" {
		id += "@" + p.From
	}
	return id
}

// inEffect returns the price that holds at an instant, or nil.
func (s *source) inEffect(n name, at time.Time) *dated {
	if s == nil {
		return nil
	}
	schedule := s.schedules[n]
	for i := range schedule {
		if !at.Before(schedule[i].from) {
			return &schedule[i]
		}
	}
	return nil
}

// snapshot matches the names of models that end with a day: gpt-4o-2024-08-06, claude-sonnet-4@20250514.
var snapshot = regexp.MustCompile(`^(.+)[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6})$`)

// find returns the price that holds for a call, or nil. The name of the model counts as it is, then without a day at
// its end. For the same name, the setting comes before the file, and a price of the provider before one of any.
func (t *Table) find(r *usage.Record) *dated {
	provider, model := prices.Canonical(r.Provider, r.Model)
	names := []string{model}
	if match := snapshot.FindStringSubmatch(model); match != nil {
		names = append(names, match[1])
	}
	for _, model := range names {
		for _, s := range []*source{t.setting.Load(), t.file.Load()} {
			for _, provider := range []string{provider, ""} {
				if found := s.inEffect(name{provider, model}, r.At); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// Price implements usage.Pricer.
func (t *Table) Price(r *usage.Record) {
	if r.Cost != nil {
		return
	}
	found := t.find(r)
	if found == nil {
		return
	}
	if cost, known := found.cost(&r.Tokens, r.ServiceTier); known {
		r.Cost, r.Price = &cost, found.id
	}
}
