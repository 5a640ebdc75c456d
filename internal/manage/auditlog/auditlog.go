// Package auditlog lists the audit trail for the callers of management. Package audit owns the entries and their store.
package auditlog

import (
	"context"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// Service lists the audit trail. It is safe for concurrent use.
type Service struct {
	gate    *gate.Gate
	entries manage.Entries
}

// New returns a Service.
func New(g *gate.Gate, entries manage.Entries) *Service { return &Service{g, entries} }

// Page is a part of the trail, the newest entries first.
type Page struct {
	Entries []audit.Entry
	// Next is the value of Filter.Before for the next page, or 0 on the last one.
	Next int64
}

var (
	errMayNotRead = &manage.Error{
		Kind: manage.Forbidden, Text: "Admin access required", Right: audit.ActionRead,
	}
	errUnavailable = manage.Error{Kind: manage.Unavailable, Text: "The server can't do this now"}
)

// List returns the entries that a filter selects.
func (s *Service) List(ctx context.Context, caller manage.Caller, read manage.Read[audit.Filter]) (*Page, error) {
	if caller.Caller == nil || !s.gate.May(caller.Caller, access.Request{
		Action: audit.ActionRead, Resource: access.Any,
	}) {
		return nil, errMayNotRead
	}
	filter, err := read()
	if err != nil {
		return nil, err
	}
	found, err := s.entries.List(ctx, filter)
	if err != nil {
		failure := errUnavailable
		failure.Cause = err
		return nil, &failure
	}
	page := &Page{Entries: found}
	if len(found) > 0 && len(found) == filter.Size() {
		page.Next = found[len(found)-1].ID
	}
	return page, nil
}
