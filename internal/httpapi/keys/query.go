package keys

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

const (
	defaultLimit = 20
	maxLimit     = 1000
	maxOffset    = 1 << 30
)

// readQuery reads which part of a list to return. It refuses unknown parameters: if a misspelled filter were
// ignored, the reply would have keys that the caller meant to filter out.
func readQuery(query string) (*apikeys.Query, error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, manage.InvalidField("query", "can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "name" && name != "offset" && name != "limit" {
			return nil, manage.InvalidField("query", fmt.Sprintf("%.50q is not a parameter", name))
		}
	}
	q := &apikeys.Query{Name: params.Get("name")}
	if len(params["name"]) > 1 {
		return nil, manage.InvalidField("name", "is given twice")
	}
	if q.Offset, err = number(params, "offset", 0, 0, maxOffset); err != nil {
		return nil, err
	}
	q.Limit, err = number(params, "limit", defaultLimit, 1, maxLimit)
	return q, err
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
