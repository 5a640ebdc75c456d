package routes

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/auth/access"
)

const (
	// maxParams bounds the parameters of a query; maxNeeds bounds the ways to read them.
	maxParams = 256
	maxNeeds  = 16
)

// needs returns one request for each way to read a query. A query may give a parameter several values, and
// programs use the first, the last, or any.
func (f found) needs(query string) ([]access.Request, error) {
	properties, err := f.properties(query)
	if err != nil {
		return nil, err
	}
	needs := make([]access.Request, len(properties))
	for i := range properties {
		needs[i] = access.Request{
			Action: f.route.action, Resource: f.route.resource.fill(f.values), Properties: properties[i],
		}
	}
	return needs, nil
}

// properties returns the parameters of the query and the wildcards of the route. A wildcard wins over a
// parameter.
func (f found) properties(query string) ([]map[string]string, error) {
	params, err := parseQuery(query)
	if err != nil || len(params)+len(f.values) == 0 {
		return []map[string]string{nil}, err
	}
	p := make(map[string]string, len(params)+len(f.values))
	var repeated []string
	for name, values := range params {
		p[name] = values[0]
		if len(values) > 1 && !slices.Contains(f.route.wildcards, name) {
			repeated = append(repeated, name)
		}
	}
	for i, name := range f.route.wildcards {
		p[name] = f.values[i]
	}
	slices.Sort(repeated)
	return combinations(p, repeated, params)
}

func parseQuery(query string) (url.Values, error) {
	if query == "" {
		return nil, nil
	}
	if strings.Count(query, "&") >= maxParams {
		return nil, manyParams
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, badQuery
	}
	for name, values := range params {
		if !isText(name) || slices.ContainsFunc(values, isOddValue) {
			return nil, badParameter
		}
	}
	return params, nil
}

// isOddValue reports whether programs differ in where a value ends. Line ends are accepted, because people
// write them.
func isOddValue(value string) bool {
	return !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

// combinations returns the properties once for every choice of one value for each repeated parameter.
func combinations(p map[string]string, repeated []string, params url.Values) ([]map[string]string, error) {
	all := []map[string]string{p}
	for _, name := range repeated {
		values := slices.Compact(slices.Sorted(slices.Values(params[name])))
		if len(all)*len(values) > maxNeeds {
			return nil, manyNeeds
		}
		all = withEach(all, name, values)
	}
	return all, nil
}

// withEach returns every reading once for each value of a parameter.
func withEach(readings []map[string]string, name string, values []string) []map[string]string {
	all := make([]map[string]string, 0, len(readings)*len(values))
	for _, reading := range readings {
		for _, value := range values {
			other := maps.Clone(reading)
			other[name] = value
			all = append(all, other)
		}
	}
	return all
}
