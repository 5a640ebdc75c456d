package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/auditlog"
)

type auditRoutes struct{ *auditlog.Service }

// Audit serves /api/admin/audit.
func Audit(service *auditlog.Service) httpapi.Group {
	h := &auditRoutes{service}
	return httpapi.Group{API: API, Routes: []httpapi.Route{
		{Method: http.MethodGet, Path: "admin/audit", Identification: httpapi.Lenient, Serve: h.list},
	}}
}

// entry is an entry of GET /api/admin/audit.
type entry struct {
	ID      int64   `json:"id"`
	At      *string `json:"at"`
	Actor   string  `json:"actor"`
	KeyID   string  `json:"key_id"`
	From    string  `json:"from"`
	Action  string  `json:"action"`
	Target  string  `json:"target"`
	Outcome string  `json:"outcome"`
	Detail  string  `json:"detail"`
	Reason  string  `json:"reason"`
	Count   int     `json:"count"`
}

// entries are newest first. Next is the value of before for the next page, or null on the last page.
type entries struct {
	Entries []entry `json:"entries"`
	Next    *int64  `json:"next"`
}

func (h *auditRoutes) list(c *httpapi.Call) {
	found, err := h.List(c.R.Context(), c.Manager(), func() (audit.Filter, error) { return readFilter(c.R.URL.RawQuery) })
	if err != nil {
		fail(c, err)
		return
	}
	shown := entries{Entries: make([]entry, 0, len(found.Entries))}
	for _, e := range found.Entries {
		shown.Entries = append(shown.Entries, entry{
			ID: e.ID, At: httpapi.TimeOrNull(e.At), Actor: e.Actor, KeyID: e.KeyID, From: e.From,
			Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail, Reason: e.Reason, Count: max(e.Count, 1),
		})
	}
	if found.Next != 0 {
		shown.Next = &found.Next
	}
	reply(c, shown)
}

// parameters are those of the query, each with what it sets. An unknown one is refused: if it were ignored, the
// reply would have entries that the caller meant to filter out.
var parameters = map[string]func(f *audit.Filter, value string) error{
	"actor":   func(f *audit.Filter, v string) error { f.Actor = v; return nil },
	"action":  func(f *audit.Filter, v string) error { f.Action = v; return nil },
	"target":  func(f *audit.Filter, v string) error { f.Target = v; return nil },
	"outcome": func(f *audit.Filter, v string) error { f.Outcome = v; return nil },
	"from":    func(f *audit.Filter, v string) error { f.From = v; return nil },
	"since":   func(f *audit.Filter, v string) (err error) { f.Since, err = instant(v); return err },
	"until":   func(f *audit.Filter, v string) (err error) { f.Until, err = instant(v); return err },
	"before":  func(f *audit.Filter, v string) (err error) { f.Before, err = positive(v); return err },
	"limit": func(f *audit.Filter, v string) error {
		limit, err := positive(v)
		if err == nil && limit > audit.MaxLimit {
			return fmt.Errorf("must be at most %d", audit.MaxLimit)
		}
		f.Limit = int(limit)
		return err
	},
}

func readFilter(raw string) (f audit.Filter, err error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return f, manage.Errorf(manage.Invalid, "The query can't be read")
	}
	for name, values := range query {
		set, known := parameters[name]
		switch {
		case !known:
			return f, manage.Errorf(manage.Invalid, "%.50q is not a filter", name)
		case len(values) > 1:
			return f, manage.Errorf(manage.Invalid, "%s is given twice", name)
		case values[0] == "":
			continue
		}
		if err := set(&f, values[0]); err != nil {
			return f, manage.Errorf(manage.Invalid, "%s %s", name, err.Error())
		}
	}
	return f, nil
}

func instant(value string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return t, fmt.Errorf("must be a time such as 2030-01-31T12:00:00Z")
	}
	return t, nil
}

func positive(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("must be a whole number over 0")
	}
	return n, nil
}
