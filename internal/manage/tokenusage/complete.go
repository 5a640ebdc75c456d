package tokenusage

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

// complete checks the records, and adds what their reporter does not give.
func (s *Service) complete(caller manage.Caller, records []usage.Record) error {
	now, reporter := s.Now().UTC().Truncate(time.Microsecond), reporterOf(caller)
	check := s.checker(now)
	for i := range records {
		r := &records[i]
		if wrong := check(r); wrong != nil {
			return manage.InvalidField(fmt.Sprintf("record %d: %s", i, wrong.Field), wrong.Problem)
		}
		r.Reporter = reporter
		if s.Pricer != nil && r.Cost == nil {
			s.Pricer.Price(r)
		}
	}
	return nil
}

// Sift returns the records that Record accepts now, in their order, and passes each of the others to reject. It is for
// reporters that can't correct what they send: one bad record must not hold up the rest.
func (s *Service) Sift(records []usage.Record, reject func(r *usage.Record, wrong *usage.FieldError)) []usage.Record {
	check := s.checker(s.Now().UTC().Truncate(time.Microsecond))
	return slices.DeleteFunc(records, func(r usage.Record) bool {
		wrong := check(&r)
		if wrong != nil {
			reject(&r, wrong)
		}
		return wrong != nil
	})
}

// checker returns a function that sets the defaults of a record of a batch and returns what is wrong with it, or nil.
func (s *Service) checker(now time.Time) func(*usage.Record) *usage.FieldError {
	keys := keyFinder{isKey: s.Gate.IsKey, known: map[string]bool{}}
	return func(r *usage.Record) *usage.FieldError {
		setDefaults(r, now)
		if wrong := r.Check(now); wrong != nil {
			return wrong
		}
		return keys.find(r)
	}
}

// setDefaults gives a record without an id one of its own, so that a write that is repeated stores it once.
func setDefaults(r *usage.Record, now time.Time) {
	if r.ID == "" {
		r.ID = rand.Text()
	}
	if r.At.IsZero() {
		r.At = now
	}
	if r.Status == "" {
		r.Status = usage.StatusOK
	}
	r.At, r.ReceivedAt = r.At.UTC().Truncate(time.Microsecond), now
	slices.Sort(r.Tags)
	r.Tags = slices.Compact(r.Tags)
}

// reporterOf returns the caller as the records name it.
func reporterOf(caller manage.Caller) usage.Reporter {
	r := usage.Reporter{Subject: caller.Subject, KeyUID: caller.KeyObjectUID(), Roles: caller.KeyRoles()}
	if object := caller.KeyObject(); object.Name != "" {
		r.Key, r.Namespace = object.Namespace+"/"+object.Name, object.Namespace
	}
	return r
}

// keyFinder finds keys that were pasted in place of names. It checks each name of a batch once.
type keyFinder struct {
	isKey func(text string) bool
	known map[string]bool
}

func (f *keyFinder) find(r *usage.Record) *usage.FieldError {
	for field, text := range r.Texts() {
		is, known := f.known[text]
		if !known {
			is = keyformat.IsKey(text, f.isKey)
			f.known[text] = is
		}
		if is {
			return &usage.FieldError{Field: field, Problem: "is a key, and keys must not appear as names"}
		}
	}
	return nil
}
