package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/users"
)

const actionAudit = "audit.read"

// entry is one of GET /api/admin/audit.
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
}

// entries are newest first. Next is what to give as before to get those that come after; null: there are none.
type entries struct {
	Entries []entry `json:"entries"`
	Next    *int64  `json:"next"`
}

func (c *call) listAudit() {
	if !c.may(actionAudit) {
		refuse(c.w, http.StatusForbidden, adminOnly)
		return
	}
	filter, err := readFilter(c.r.URL.RawQuery)
	if err != nil {
		c.fail(err)
		return
	}
	found, err := c.Entries.List(c.r.Context(), filter)
	if err != nil {
		c.fail(err)
		return
	}
	shown := entries{Entries: make([]entry, 0, len(found))}
	for _, e := range found {
		shown.Entries = append(shown.Entries, entry{
			ID: e.ID, At: written(e.At), Actor: e.Actor, KeyID: e.KeyID, From: e.From,
			Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail,
		})
	}
	if len(found) == filter.Size() {
		shown.Next = &found[len(found)-1].ID
	}
	reply(c.w, shown)
}

// parameters of the query, each with what it sets. An unknown one is refused: a filter that was not understood would be
// answered with what it was to leave out.
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
		return f, users.Refusal("The query can't be read")
	}
	for name, values := range query {
		set, known := parameters[name]
		switch {
		case !known:
			return f, users.Refusal(fmt.Sprintf("%.50q is no filter", name))
		case len(values) > 1:
			return f, users.Refusal(name + " is there twice")
		case values[0] == "":
			continue
		}
		if err := set(&f, values[0]); err != nil {
			return f, users.Refusal(name + " " + err.Error())
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
