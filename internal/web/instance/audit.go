package instance

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/httpapi"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/web"
)

// Parameters of /audit, as those of the API. Since and until also take a day in UTC.
const (
	paramActor   = "actor"
	paramTarget  = "target"
	paramAction  = "action"
	paramOutcome = "outcome"
	paramFrom    = "from"
	paramSince   = "since"
	paramUntil   = "until"
	paramBefore  = "before"
)

var auditParameters = []string{
	paramActor, paramTarget, paramAction, paramOutcome, paramFrom, paramSince, paramUntil, paramBefore,
}

// perPage is how many entries a page has.
const perPage = 50

// auditPage is the data of /audit.
type auditPage struct {
	Filters auditFilters
	Entries []auditEntry
	// Next is the address of the next page, and Newest that of the first. Without such a page they are empty.
	Next, Newest string
	Actions      []string
	// Problem is why the filters were refused.
	Problem string
}

// auditEntry is an entry as it is shown. The paths lead to the entries of the same actor, target, action or address.
type auditEntry struct {
	audit.Entry
	ActorPath, TargetPath, ActionPath, FromPath string
	// Times says how many operations the entry stands for, if there are several.
	Times string
}

// auditFilters are what was typed.
type auditFilters struct {
	values url.Values
	errors map[string]string
}

func (p *pages) audit(c *httpapi.Call) {
	f := auditFilters{url.Values{}, map[string]string{}}
	query := c.R.URL.Query()
	for _, name := range auditParameters {
		if value := strings.TrimSpace(query.Get(name)); value != "" {
			f.values.Set(name, value)
		}
	}
	shown := auditPage{Filters: f, Actions: audit.Actions()}
	found, err := p.trail.List(c.R.Context(), c.Manager(), f.read)
	status := http.StatusOK
	switch {
	case manage.Is(err, manage.Invalid):
		status, shown.Problem = http.StatusBadRequest, f.explain(err)
	case err != nil:
		web.Fail(c, err)
		return
	default:
		shown.fill(found.Entries, found.Next)
	}
	web.Render(c, web.Page{Title: "Audit", Section: web.Audit, View: auditView, Data: &shown, Status: status})
}

func (a *auditPage) fill(entries []audit.Entry, next int64) {
	for i := range entries {
		a.Entries = append(a.Entries, entryOf(&entries[i]))
	}
	if next != 0 {
		a.Next = a.Filters.with(paramBefore, strconv.FormatInt(next, 10))
	}
	if a.Filters.Value(paramBefore) != "" {
		a.Newest = a.Filters.with(paramBefore, "")
	}
}

func entryOf(e *audit.Entry) auditEntry {
	only := func(name, value string) string {
		if value == "" {
			return ""
		}
		return "/audit?" + url.Values{name: {value}}.Encode()
	}
	times := ""
	if e.Count > 1 {
		times = web.Grouped(int64(e.Count)) + " times"
	}
	return auditEntry{
		Times: times, Entry: *e, ActorPath: only(paramActor, e.Actor), TargetPath: only(paramTarget, e.Target),
		ActionPath: only(paramAction, e.Action), FromPath: only(paramFrom, e.From),
	}
}

// read returns the filter of the parameters.
func (f *auditFilters) read() (filter audit.Filter, err error) {
	filter = audit.Filter{
		Actor: f.Value(paramActor), Target: f.Value(paramTarget), Action: f.Value(paramAction),
		Outcome: f.Value(paramOutcome), From: f.Value(paramFrom), Limit: perPage,
	}
	if filter.Since, err = usage.ParseStart(f.Value(paramSince), time.UTC); err != nil {
		return filter, manage.InvalidField(paramSince, err.Error())
	}
	if filter.Until, err = usage.ParseEnd(f.Value(paramUntil), time.UTC); err != nil {
		return filter, manage.InvalidField(paramUntil, err.Error())
	}
	if before := f.Value(paramBefore); before != "" {
		if filter.Before, err = strconv.ParseInt(before, 10, 64); err != nil || filter.Before <= 0 {
			return filter, manage.Errorf(manage.Invalid, "This is not a page of the audit trail: begin with the newest entries")
		}
	}
	return filter, nil
}

// explain keeps the problem of a field beside it, and returns any other one.
func (f *auditFilters) explain(err error) string {
	var invalid *manage.Error
	if !errors.As(err, &invalid) || invalid.Field == "" {
		return err.Error()
	}
	f.errors[invalid.Field] = strings.ToUpper(invalid.Text[:1]) + invalid.Text[1:]
	return "The filters need a correction"
}

// Value returns what was typed into a field.
func (f *auditFilters) Value(name string) string { return f.values.Get(name) }

// Error returns the problem of a field, or "".
func (f *auditFilters) Error(name string) string { return f.errors[name] }

// IsDay reports whether an input for days can show what was typed.
func (f *auditFilters) IsDay(name string) bool {
	value := f.Value(name)
	_, err := time.Parse(time.DateOnly, value)
	return value == "" || err == nil
}

// Any reports whether there is a filter.
func (f *auditFilters) Any() bool { return len(f.values) > 0 }

// with returns the address with another value of a parameter. An empty value removes it.
func (f *auditFilters) with(name, value string) string {
	values := url.Values{}
	for other, given := range f.values {
		values[other] = given
	}
	values.Set(name, value)
	if value == "" {
		values.Del(name)
	}
	if len(values) == 0 {
		return "/audit"
	}
	return "/audit?" + values.Encode()
}
