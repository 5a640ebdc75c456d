package keys

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"keywright.dev/keywright/internal/manage/apikeys"
)

const (
	defaultLimit = 20
	maxLimit     = 1000
	maxOffset    = 1 << 30
)

// readQuery reads which part of a list is asked for. An unknown parameter is refused: a filter that was not understood
// would be answered with what it was to leave out.
func readQuery(query string) (*apikeys.Query, error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, invalid("query", "can't be read")
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "name" && name != "offset" && name != "limit" {
			return nil, invalid("query", fmt.Sprintf("%.50q is no parameter", name))
		}
	}
	q := &apikeys.Query{Name: params.Get("name")}
	if len(params["name"]) > 1 {
		return nil, invalid("name", "is there twice")
	}
	if q.Offset, err = number(params, "offset", 0, 0, maxOffset); err != nil {
		return nil, err
	}
	q.Limit, err = number(params, "limit", defaultLimit, 1, maxLimit)
	return q, err
}

func number(params url.Values, name string, otherwise, least, most int) (int, error) {
	values := params[name]
	if len(values) == 0 {
		return otherwise, nil
	}
	n, err := strconv.Atoi(values[0])
	if len(values) > 1 || err != nil || n < least || n > most || strconv.Itoa(n) != values[0] {
		return 0, invalid(name, "must be a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}

func invalid(field, text string) *apikeys.Error {
	return &apikeys.Error{Kind: apikeys.Invalid, Field: field, Text: text}
}
