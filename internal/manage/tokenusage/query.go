package tokenusage

import (
	"slices"
	"strings"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

// Parameters of reports and exports, besides the names of fields.
const (
	ParamStart   = "start_date"
	ParamEnd     = "end_date"
	ParamGroupBy = "group_by"
	ParamZone    = "tz"
)

// Filters lists the parameters that match exactly.
func Filters() []string { return []string{usage.FieldProvider, usage.FieldModel, usage.FieldCallType} }

// QueryOf returns the query with these parameters. An empty one counts as absent. The error is an *Error.
func QueryOf(values map[string]string) (q usage.Query, err error) {
	q = usage.Query{
		Provider: values[usage.FieldProvider], Model: values[usage.FieldModel], CallType: values[usage.FieldCallType],
		GroupBy: usage.Grouping(values[ParamGroupBy]),
	}
	if q.GroupBy != "" && !slices.Contains(usage.Groupings(), q.GroupBy) {
		return q, manage.Errorf(manage.Invalid, "Invalid group_by value. Valid: %s", validGroupings())
	}
	for _, name := range Filters() {
		if problem := usage.ProblemOfName(values[name]); problem != "" {
			return q, manage.InvalidField(name, problem)
		}
	}
	if q.Zone, err = usage.ParseZone(values[ParamZone]); err != nil {
		return q, manage.InvalidField(ParamZone, err.Error())
	}
	if q.Since, err = usage.ParseStart(values[ParamStart], q.Zone); err != nil {
		return q, manage.InvalidField(ParamStart, err.Error())
	}
	if q.Until, err = usage.ParseEnd(values[ParamEnd], q.Zone); err != nil {
		return q, manage.InvalidField(ParamEnd, err.Error())
	}
	// A day that a time zone left out is empty.
	if !q.Until.IsZero() && !q.Until.After(q.Since) && values[ParamStart] != values[ParamEnd] {
		return q, manage.InvalidField(ParamEnd, "must be after start_date")
	}
	return q, nil
}

func validGroupings() string {
	var names []string
	for _, grouping := range usage.Groupings() {
		names = append(names, string(grouping))
	}
	return strings.Join(names, ", ")
}
