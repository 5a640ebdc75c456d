package keys

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/program"
)

const (
	defaultLimit = 20
	maxLimit     = 1000
	maxOffset    = 1 << 30
)

// Parameters of a list. Pages have the same ones in their addresses.
const (
	ParamName      = "name"
	ParamSearch    = "search"
	ParamState     = "state"
	ParamExpiring  = "expiring"
	ParamUnused    = "unused"
	ParamNeverUsed = "never_used"
	ParamMine      = "mine"
	ParamSort      = "sort"
	ParamOffset    = "offset"
	ParamLimit     = "limit"
)

var parameters = []string{
	ParamName, ParamSearch, ParamState, ParamExpiring, ParamUnused, ParamNeverUsed, ParamMine, ParamSort, ParamOffset,
	ParamLimit,
}

// readQuery reads which part of a list to return. It refuses unknown parameters: if a misspelled filter were
// ignored, the reply would have keys that the caller meant to filter out.
func readQuery(query string) (*apikeys.Query, error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, manage.InvalidField("query", "can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !slices.Contains(parameters, name) {
			return nil, manage.InvalidField("query", fmt.Sprintf("%.50q is not a parameter", name))
		}
	}
	return ReadQuery(params)
}

// ReadQuery reads the parameters of a list. It ignores others.
func ReadQuery(params url.Values) (q *apikeys.Query, err error) {
	for _, name := range parameters {
		if name != ParamOffset && name != ParamLimit && len(params[name]) > 1 {
			return nil, manage.InvalidField(name, "is given twice")
		}
	}
	q = &apikeys.Query{Name: params.Get(ParamName), Filter: apikeys.Filter{
		Search: strings.TrimSpace(params.Get(ParamSearch)), State: apikeys.State(params.Get(ParamState)),
	}}
	for _, step := range []func() error{
		func() (err error) { q.Expiring, err = span(params, ParamExpiring); return },
		func() (err error) { q.Unused, err = span(params, ParamUnused); return },
		func() (err error) { q.NeverUsed, err = flag(params, ParamNeverUsed); return },
		func() (err error) { q.Mine, err = flag(params, ParamMine); return },
		func() (err error) { q.Sort, err = order(params); return },
		func() (err error) { q.Offset, err = number(params, ParamOffset, 0, 0, maxOffset); return },
		func() (err error) { q.Limit, err = number(params, ParamLimit, defaultLimit, 1, maxLimit); return },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// span reads a time such as 90d. An empty one counts as absent.
func span(params url.Values, name string) (time.Duration, error) {
	text := params.Get(name)
	if text == "" {
		return 0, nil
	}
	d, ok := program.ParseSpan(text)
	if !ok || d < time.Second {
		return 0, manage.InvalidField(name, "must be a time of at least 1s such as 90d, 12h or 30m")
	}
	return d, nil
}

func flag(params url.Values, name string) (bool, error) {
	switch params.Get(name) {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, manage.InvalidField(name, "must be true or false")
}

func order(params url.Values) (apikeys.Sort, error) {
	if params.Get(ParamSort) == "" {
		return apikeys.Sort{}, nil
	}
	return apikeys.ParseSort(params.Get(ParamSort))
}

// takeSubject takes the parameter subject out of a query. Without one, the subject is empty.
func takeSubject(query string) (rest string, subject v1alpha1.Subject, err error) {
	params, err := url.ParseQuery(query)
	if err == nil && params.Has("subject") {
		values := params["subject"]
		if len(values) > 1 {
			return "", subject, manage.InvalidField("subject", "is given twice")
		}
		params.Del("subject")
		subject, err = apikeys.ParseSubject(values[0])
		return params.Encode(), subject, err
	}
	// readQuery refuses what can't be read.
	return query, subject, nil
}

func number(params url.Values, name string, otherwise, least, most int) (int, error) {
	values := params[name]
	if len(values) == 0 {
		return otherwise, nil
	}
	n, err := strconv.Atoi(values[0])
	if len(values) > 1 || err != nil || n < least || n > most || strconv.Itoa(n) != values[0] {
		return 0, manage.InvalidField(name, "must be a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}
