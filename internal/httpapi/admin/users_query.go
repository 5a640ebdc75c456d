package admin

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/users"
)

// Limits of a list of users. Without a limit, a list has all users.
const maxUsers, maxUserOffset = 1000, 1 << 30

// userParameters are those of GET /api/admin/users, each with what it sets.
var userParameters = map[string]func(q *users.Query, value string) error{
	users.FieldSearch: func(q *users.Query, v string) error { q.Search = v; return nil },
	users.FieldRole:   func(q *users.Query, v string) error { q.Role = v1alpha1.Role(v); return nil },
	users.FieldSource: func(q *users.Query, v string) error { q.Source = users.Source(v); return nil },
	users.FieldSort:   func(q *users.Query, v string) error { q.Sort = users.Sort(v); return nil },
	"enabled": func(q *users.Query, v string) error {
		if v != "true" && v != "false" {
			return fmt.Errorf("must be true or false")
		}
		q.Enabled = new(v == "true")
		return nil
	},
	"offset": func(q *users.Query, v string) (err error) { q.Offset, err = numberIn(v, 0, maxUserOffset); return err },
	"limit":  func(q *users.Query, v string) (err error) { q.Limit, err = numberIn(v, 1, maxUsers); return err },
}

// readUserQuery refuses unknown parameters, as readFilter does.
func readUserQuery(raw string) (*users.Query, error) {
	params, err := url.ParseQuery(raw)
	if err != nil {
		return nil, manage.Errorf(manage.Invalid, "The query can't be read")
	}
	q := &users.Query{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		set, known := userParameters[name]
		values := params[name]
		switch {
		case !known:
			return nil, manage.Errorf(manage.Invalid, "%.50q is not a parameter", name)
		case len(values) > 1:
			return nil, manage.Errorf(manage.Invalid, "%s is given twice", name)
		case values[0] == "":
			continue
		}
		if err := set(q, values[0]); err != nil {
			return nil, manage.Errorf(manage.Invalid, "%s %s", name, err.Error())
		}
	}
	return q, nil
}

func numberIn(value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("must be a number from %d to %d", least, most)
	}
	return n, nil
}
