package usage

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
)

// Parameters of /usage besides those of reports.
const (
	paramPeriod = "period"
	paramShow   = "show"
	paramSort   = "sort"
	paramOrder  = "order"
	paramPage   = "page"
)

// What a chart shows.
const (
	showCost   = "cost"
	showTokens = "tokens"
	showCalls  = "calls"
)

// option is an entry of a select.
type option struct {
	Value, Text string
	Selected    bool
}

// period is a shortcut for a span of days.
type period struct {
	Text, Path string
	Current    bool
}

// periods are the shortcuts, by their parameter: how many days before today they begin.
var periods = []struct {
	name, text string
	before     int
}{{"today", "Today", 0}, {"7d", "7 days", 6}, {"30d", "30 days", 29}, {"90d", "90 days", 89}}

// filters are the parameters of /usage, as they were typed.
type filters struct {
	values url.Values
	// Period is a shortcut, or empty.
	Period string
	// Show is what the chart shows.
	Show string
	// Given: at least one parameter is in the address.
	Given bool
	// Errors are by the names of the fields.
	Errors map[string]string
}

// readFilters reads the query of an address. Without dates it is that of the last 30 days.
func readFilters(query url.Values, now time.Time) *filters {
	f := &filters{values: url.Values{}, Errors: map[string]string{}, Show: showCost}
	for _, name := range append(tokenusage.Filters(), tokenusage.ParamStart, tokenusage.ParamEnd, tokenusage.ParamZone,
		tokenusage.ParamGroupBy, paramPeriod, paramShow, paramSort, paramOrder, paramPage) {
		if value := strings.TrimSpace(query.Get(name)); value != "" {
			f.values.Set(name, value)
			f.Given = true
		}
	}
	if show := f.values.Get(paramShow); show == showTokens || show == showCalls {
		f.Show = show
	}
	f.setPeriod(now)
	if f.values.Get(tokenusage.ParamGroupBy) == "" {
		f.values.Set(tokenusage.ParamGroupBy, string(usage.ByModel))
	}
	return f
}

// allTime is the shortcut for no dates, and usualPeriod the one without any filter.
const allTime, usualPeriod = "all", "30d"

// setPeriod sets the dates of the shortcut, if there is one.
func (f *filters) setPeriod(now time.Time) {
	known := f.values.Get(paramPeriod) == allTime
	for _, p := range periods {
		known = known || p.name == f.values.Get(paramPeriod)
	}
	switch hasDates := f.values.Get(tokenusage.ParamStart) != "" || f.values.Get(tokenusage.ParamEnd) != ""; {
	case known:
		f.Period = f.values.Get(paramPeriod)
	case !hasDates:
		f.Period = usualPeriod
	}
	f.values.Del(paramPeriod)
	for _, p := range periods {
		if p.name == f.Period {
			f.setDays(now, p.before)
		}
	}
	if f.Period == allTime {
		f.values.Del(tokenusage.ParamStart)
		f.values.Del(tokenusage.ParamEnd)
	}
}

// setDays sets the dates of a shortcut, in the time zone of the filters.
func (f *filters) setDays(now time.Time, before int) {
	zone, err := usage.ParseZone(f.values.Get(tokenusage.ParamZone))
	if err != nil {
		// The report says so.
		zone = time.UTC
	}
	today := now.In(zone)
	f.values.Set(tokenusage.ParamStart, today.AddDate(0, 0, -before).Format(time.DateOnly))
	f.values.Set(tokenusage.ParamEnd, today.Format(time.DateOnly))
}

// parameters returns those of the report.
func (f *filters) parameters() map[string]string {
	all := map[string]string{}
	for _, name := range append(tokenusage.Filters(), tokenusage.ParamStart, tokenusage.ParamEnd, tokenusage.ParamZone,
		tokenusage.ParamGroupBy) {
		all[name] = f.values.Get(name)
	}
	return all
}

// explain keeps the problem of a field beside it, and returns any other one.
func (f *filters) explain(err error) (problem string) {
	var invalid *manage.Error
	if !errors.As(err, &invalid) || invalid.Field == "" {
		return err.Error()
	}
	f.Errors[invalid.Field] = sentence(invalid.Text)
	return "The report needs a correction: see below"
}

// sentence begins the rest of a sentence with a capital.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Value returns what was typed into a field.
func (f *filters) Value(name string) string { return f.values.Get(name) }

// Error returns the problem of a field, or "".
func (f *filters) Error(name string) string { return f.Errors[name] }

// IsDay reports whether an input for days can show what was typed.
func (f *filters) IsDay(name string) bool {
	value := f.values.Get(name)
	_, err := time.Parse(time.DateOnly, value)
	return value == "" || err == nil
}

// Groupings are the choices of the select.
func (f *filters) Groupings() (all []option) {
	for _, g := range usage.Groupings() {
		all = append(all, option{string(g), groupingText(g), string(g) == f.Value(tokenusage.ParamGroupBy)})
	}
	return all
}

// Shows are the choices of what the chart shows.
func (f *filters) Shows() []option {
	return []option{
		{showCost, "Cost", f.Show == showCost}, {showTokens, "Tokens", f.Show == showTokens},
		{showCalls, "Calls", f.Show == showCalls},
	}
}

// groupingText returns a grouping in words.
func groupingText(g usage.Grouping) string { return sentence(strings.ReplaceAll(string(g), "_", " ")) }

// Periods are the shortcuts.
func (f *filters) Periods() (all []period) {
	add := func(name, text string) {
		path := f.with(paramPeriod, name, tokenusage.ParamStart, "", tokenusage.ParamEnd, "", paramPage, "")
		all = append(all, period{text, path, f.Period == name})
	}
	for _, p := range periods {
		add(p.name, p.text)
	}
	add(allTime, "All")
	return all
}

// with returns the address with other values: names and values in turn. An empty value removes the parameter.
func (f *filters) with(pairs ...string) string {
	values := url.Values{}
	for name, given := range f.values {
		values[name] = given
	}
	if f.Period != "" {
		// The dates follow from it.
		values.Set(paramPeriod, f.Period)
		values.Del(tokenusage.ParamStart)
		values.Del(tokenusage.ParamEnd)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			values.Del(pairs[i])
		} else {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	if len(values) == 0 {
		return "/usage"
	}
	return "/usage?" + values.Encode()
}

// ExportPath returns the address of the calls as CSV, with the same filters.
func (f *filters) ExportPath() string {
	values := url.Values{"format": {"csv"}}
	for name, value := range f.parameters() {
		if value != "" && name != tokenusage.ParamGroupBy {
			values.Set(name, value)
		}
	}
	return "/api/admin/token-usage/export?" + values.Encode()
}

// pageOf returns the number of the page, from 1.
func pageOf(text string) int {
	page, err := strconv.Atoi(text)
	if err != nil || page < 1 {
		return 1
	}
	return page
}

// Hidden are the parameters that the form passes on.
func (f *filters) Hidden() (all []option) {
	for _, name := range []string{paramSort, paramOrder} {
		if value := f.values.Get(name); value != "" {
			all = append(all, option{Value: value, Text: name})
		}
	}
	return slices.Clip(all)
}
