package routes

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxTarget bounds a target in bytes. Servers rarely accept more than 8 KiB.
const maxTarget = 64 << 10

// Find returns what a request needs, and the zero Match if no route matches it. A pattern for GET also
// matches HEAD. A pattern that ends with a slash also matches a path that only lacks this slash, where
// ServeMux would redirect.
//
// Every error is ErrAmbiguous: see the package comment.
func (t *Table) Find(r Request) (Match, error) {
	if t.Len() == 0 {
		return Match{}, nil
	}
	q, err := t.parse(r)
	if err != nil || q.isForServer() {
		return Match{}, err
	}
	found, err := t.agreed(&q)
	if err != nil || found.route == nil {
		return Match{}, err
	}
	return found.match(q.query)
}

// found is the result of one reading of a request: the route, and the values of its wildcards if they matter.
type found struct {
	route  *route
	values []string
	// isAmbiguous is true if programs may use another route, or see other parameters in the request.
	isAmbiguous bool
}

// agreed returns the common result of all readings of the request.
func (t *Table) agreed(q *parsed) (found, error) {
	path, err := canonical(q.path)
	if err != nil {
		return found{}, err
	}
	first, upper := t.read(q.method, q.host, path), strings.ToUpper(q.method)
	if isPlain(path) && upper == q.method {
		return first, nil
	}
	return first, t.confirm(*q, first, path, upper)
}

// confirm fails unless every reading of the path has the result of the first one, with the method as sent and in
// upper case: some programs ignore the case of methods.
func (t *Table) confirm(q parsed, first found, path, upper string) error {
	return visitReadings(path, func(reading string) error {
		same := first.isSame(t.read(q.method, q.host, reading))
		if same && upper != q.method {
			same = first.isSame(t.read(upper, q.host, reading))
		}
		if !same {
			return differentRead
		}
		return nil
	})
}

// read returns the result of one reading.
func (t *Table) read(method, host, reading string) found {
	var segments []string
	u := url.URL{Path: reading}
	if !isPlain(reading) {
		segments = split(reading)
		u.RawPath = join(segments)
		u.Path, _ = url.PathUnescape(u.RawPath)
	}
	_, text := t.mux.Handler(&http.Request{Method: method, Host: host, URL: &u})
	r := t.byPattern[text]
	switch {
	case r == nil:
		return found{}
	case r.hasEmptyWildcard(segments), r.action != "" && strings.Contains(reading, "%3F"):
		return found{isAmbiguous: true}
	case !r.needsValues():
		return found{route: r}
	case segments == nil:
		segments = split(reading)
	}
	return found{route: r, values: r.values(segments)}
}

func (f found) isSame(other found) bool {
	if f.route != other.route || f.isAmbiguous || other.isAmbiguous {
		return false
	}
	for i := range f.values {
		if f.values[i] != other.values[i] && f.route.needsValue(i) {
			return false
		}
	}
	return true
}

// needsValues reports whether the values of wildcards matter. If the route has an action, all of them are
// properties.
func (r *route) needsValues() bool { return r.action != "" || len(r.owner.wildcards) > 0 }

func (r *route) needsValue(wildcard int) bool {
	return r.action != "" || slices.Contains(r.owner.wildcards, wildcard)
}

func (f found) match(query string) (Match, error) {
	m := Match{Pattern: f.route.text, Owner: f.route.owner.fill(f.values), Anonymous: f.route.anonymous}
	// An empty Owner allows any caller, so a template without a value is an error.
	if f.route.owner.lacks(f.values) {
		return Match{}, noOwner
	}
	if f.route.action != "" {
		needs, err := f.needs(query)
		if err != nil {
			return Match{}, err
		}
		m.Needs = needs
	}
	return m, nil
}
