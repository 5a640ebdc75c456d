package routes

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxTarget is as long as a target may be, in bytes. Servers rarely take more than 8 KiB.
const maxTarget = 64 << 10

// Find returns what a request needs, and the zero Match when no route matches it. A pattern for GET matches HEAD too;
// one that ends with a slash also matches a path that lacks no more than that slash, where ServeMux would redirect.
//
// Every error is ErrAmbiguous: see the package for what can't be told.
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

// found is the route that one reading of a request comes to, with the values of its wildcards where they matter.
type found struct {
	route  *route
	values []string
	// unsure: a program may come to this route or not, or see other parameters in the request.
	unsure bool
}

// agreed is what all readings of the request come to.
func (t *Table) agreed(q *question) (found, error) {
	path, err := canonical(q.path)
	if err != nil {
		return found{}, err
	}
	first, upper := t.at(q.method, q.host, path), strings.ToUpper(q.method)
	if isPlain(path) && upper == q.method {
		return first, nil
	}
	return first, t.confirm(*q, first, path, upper)
}

// confirm fails unless every reading of the path comes to what the first one did; as does the method in upper case, for
// which some programs take one in lower case.
func (t *Table) confirm(q question, first found, path, upper string) error {
	return visitReadings(path, func(reading string) error {
		same := first.isSame(t.at(q.method, q.host, reading))
		if same && upper != q.method {
			same = first.isSame(t.at(upper, q.host, reading))
		}
		if !same {
			return differentRead
		}
		return nil
	})
}

// at is what one reading comes to.
func (t *Table) at(method, host, reading string) found {
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
	case r.takesEmpty(segments), r.action != "" && strings.Contains(reading, "%3F"):
		return found{unsure: true}
	case !r.asksForValues():
		return found{route: r}
	case segments == nil:
		segments = split(reading)
	}
	return found{route: r, values: r.values(segments)}
}

func (f found) isSame(other found) bool {
	if f.route != other.route || f.unsure || other.unsure {
		return false
	}
	for i := range f.values {
		if f.values[i] != other.values[i] && f.route.asksFor(i) {
			return false
		}
	}
	return true
}

// asksForValues says whether it matters what wildcards stand for: all of them are properties of what is asked.
func (r *route) asksForValues() bool { return r.action != "" || len(r.owner.wildcards) > 0 }

func (r *route) asksFor(wildcard int) bool {
	return r.action != "" || slices.Contains(r.owner.wildcards, wildcard)
}

func (f found) match(query string) (Match, error) {
	m := Match{Pattern: f.route.text, Owner: f.route.owner.fill(f.values)}
	// An empty Owner is anybody: the owner of nothing has to be nobody.
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
