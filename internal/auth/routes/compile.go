package routes

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"keywright.dev/keywright/internal/auth/access"
)

const (
	// maxRoutes and maxText keep tables small enough to compile and search quickly.
	maxRoutes = 256
	maxText   = 512
)

// route is a valid entry.
type route struct {
	pattern
	// wildcards has the names of the pattern's wildcards.
	wildcards       []string
	action          string
	resource, owner template
	anonymous       bool
}

// Compile returns the table of the entries. It refuses invalid entries, and entries that overlap: some
// request matches both, and neither is more specific. The error has one line for each fault, which begins
// with the number of the entry, counted from 1, and its pattern.
func Compile(entries []Route) (*Table, error) {
	if len(entries) > maxRoutes {
		return nil, fmt.Errorf("there are %d routes; the maximum is %d", len(entries), maxRoutes)
	}
	c := compiler{table: newTable(), numbers: map[string]int{}}
	for i := range entries {
		c.add(i+1, &entries[i])
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	// A catch-all pattern saves ServeMux from collecting the allowed methods. The error is a conflict with an
	// entry that is a catch-all already.
	_ = register(c.table.mux, "/")
	return c.table, nil
}

func newTable() *Table { return &Table{mux: http.NewServeMux(), byPattern: map[string]*route{}} }

// compiler collects valid routes and the faults of the others.
type compiler struct {
	table *Table
	// accepted has the patterns in the table, in order; numbers has the number of each one's entry.
	accepted []pattern
	numbers  map[string]int
	faults   []error
}

func (c *compiler) add(number int, entry *Route) {
	p, err := checkPattern(entry.Match)
	if err != nil {
		c.fault(number, entry, "match", err)
		return
	}
	r := &route{pattern: p, wildcards: p.names(), action: entry.Action, anonymous: entry.Anonymous}
	c.fault(number, entry, "action", checkAction(entry))
	r.resource, err = parseResource(entry.Resource, r.wildcards)
	c.fault(number, entry, "resource", err)
	r.owner, err = parseTemplate(entry.Owner, r.wildcards)
	c.fault(number, entry, "owner", err)
	c.fault(number, entry, "anonymous", checkAnonymous(entry))
	if register(c.table.mux, p.text) != nil {
		c.fault(number, entry, "match", c.overlap(&p))
		return
	}
	c.accepted, c.numbers[p.text] = append(c.accepted, p), number
	c.table.put(r)
}

// fault records an error, which may be nil.
func (c *compiler) fault(number int, entry *Route, field string, err error) {
	switch {
	case err == nil:
	case entry.Match == "":
		c.faults = append(c.faults, fmt.Errorf("route %d: %s %w", number, field, err))
	default:
		c.faults = append(c.faults, fmt.Errorf("route %d (%s): %s %w", number, shown(entry.Match), field, err))
	}
}

func (t *Table) put(r *route) {
	t.byPattern[r.text] = r
	t.hasHosts = t.hasHosts || r.host != ""
	t.hasAnonymous = t.hasAnonymous || r.anonymous
}

// shown returns a text in one line of bounded length.
func shown(text string) string {
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	quoted := fmt.Sprintf("%q", text)
	if plain := quoted[1 : len(quoted)-1]; plain == text {
		return plain
	}
	return quoted
}

var action = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*([.:][A-Za-z0-9_-]+)+$`)

// checkAction applies the rule for scopes: a route can't need an action that no key can be given.
func checkAction(entry *Route) error {
	switch {
	case entry.Action == "" && entry.Resource != "":
		return errors.New("is missing: a resource needs one")
	case entry.Action == "":
		return nil
	case entry.Action == access.Any:
		return errors.New("can't be *: a request is one action, such as certs.read")
	case len(entry.Action) > 63:
		return errors.New("is longer than 63 characters")
	case !action.MatchString(entry.Action):
		return fmt.Errorf("%s is not of the form certs.read or dashboard:View", shown(entry.Action))
	}
	return nil
}

// checkAnonymous refuses a route that admits requests without a caller and needs one.
func checkAnonymous(entry *Route) error {
	switch {
	case !entry.Anonymous:
	case entry.Action != "":
		return errors.New("contradicts action: a caller without a credential is allowed no action")
	case entry.Owner != "":
		return errors.New("contradicts owner: a caller without a credential owns nothing")
	}
	return nil
}

var resource = regexp.MustCompile(`^([*]|[A-Za-z][A-Za-z0-9_-]*:.+)$`)

// parseResource applies the form of resources in policies to the known part of the text.
func parseResource(text string, names []string) (template, error) {
	if text == "" {
		text = access.Any
	}
	t, err := parseTemplate(text, names)
	if err == nil && t.literals[0] != "" && !resource.MatchString(text) {
		err = fmt.Errorf("%s is neither of the form device:{id} nor *", shown(text))
	}
	return t, err
}

// checkPattern refuses patterns that ServeMux refuses, and patterns that Find would never match.
func checkPattern(text string) (pattern, error) {
	switch {
	case text == "":
		return pattern{}, errors.New("is empty: write a pattern such as GET /devices/{id}")
	case len(text) > maxText:
		return pattern{}, fmt.Errorf("is longer than %d bytes", maxText)
	}
	alone := newTable()
	if err := register(alone.mux, text); err != nil {
		return pattern{}, err
	}
	p := parsePattern(text)
	if err := checkPrefix(&p); err != nil {
		return pattern{}, err
	}
	alone.put(&route{pattern: p})
	if m, err := alone.Find(p.example()); err != nil || m.Pattern != text {
		return pattern{}, errors.New(
			`never matches a request: write its path without // . .. ; \ and without encoded / ? # %`,
		)
	}
	return p, nil
}

func checkPrefix(p *pattern) error {
	switch host, err := normalHost(p.host); {
	case p.method != strings.ToUpper(p.method):
		return fmt.Errorf("has the method %s: write it in upper case", shown(p.method))
	case p.method == http.MethodConnect:
		return errors.New("has the method CONNECT, whose requests have no path")
	case p.host != "" && err != nil:
		return fmt.Errorf("has the host %s, which is not a host name", shown(p.host))
	case host != p.host:
		return fmt.Errorf("has the host %s: write it as %s", shown(p.host), shown(host))
	}
	return nil
}
