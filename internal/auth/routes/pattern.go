package routes

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// pattern is a parsed pattern of http.ServeMux. ServeMux decides which are valid: see register.
type pattern struct {
	text, method, host string
	segments           []segment
}

type segment struct {
	kind segmentKind
	// text is the name of a wildcard, or the text that a literal matches.
	text string
}

type segmentKind uint8

const (
	literal segmentKind = iota
	// wildcard is one segment: {id}.
	wildcard
	// remainder is the rest of the path, which may be empty: {path...}, or without a name a slash at the end.
	remainder
	// end is an empty last segment: {$}.
	end
)

// parsePattern parses a pattern that ServeMux accepts.
func parsePattern(text string) pattern {
	p := pattern{text: text}
	rest := text
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		p.method, rest = text[:i], strings.TrimLeft(text[i:], " \t")
	}
	host, path, _ := strings.Cut(rest, "/")
	p.host = host
	for part := range strings.SplitSeq(path, "/") {
		p.segments = append(p.segments, parseSegment(part))
	}
	// The only empty segment that ServeMux accepts is that of a slash at the end.
	if last := &p.segments[len(p.segments)-1]; last.kind == literal && last.text == "" {
		last.kind = remainder
	}
	return p
}

func parseSegment(s string) segment {
	if s == "{$}" {
		return segment{kind: end}
	}
	if name, ok := strings.CutPrefix(s, "{"); ok {
		name = strings.TrimSuffix(name, "}")
		if name, ok := strings.CutSuffix(name, "..."); ok {
			return segment{remainder, name}
		}
		return segment{wildcard, name}
	}
	// An invalid escape stands for itself, as in ServeMux.
	if text, err := url.PathUnescape(s); err == nil {
		s = text
	}
	return segment{literal, s}
}

// names returns the names of the wildcards in their order. The name of {path...} is path.
func (p *pattern) names() []string {
	var names []string
	for _, s := range p.segments {
		if s.isNamed() {
			names = append(names, s.text)
		}
	}
	return names
}

func (s segment) isNamed() bool { return s.kind == wildcard || s.kind == remainder && s.text != "" }

// values returns the values of the named wildcards. path has the decoded segments of a path that matches; it
// may lack the slash at the end.
func (p *pattern) values(path []string) []string {
	var values []string
	for i, s := range p.segments {
		switch {
		case !s.isNamed():
		case i >= len(path):
			values = append(values, "")
		case s.kind == remainder:
			values = append(values, strings.Join(path[i:], "/"))
		default:
			values = append(values, path[i])
		}
	}
	return values
}

// hasEmptyWildcard reports whether a wildcard for one segment has an empty value. Programs differ in whether that
// matches.
func (p *pattern) hasEmptyWildcard(path []string) bool {
	for i := range min(len(p.segments), len(path)) {
		if p.segments[i].kind == wildcard && path[i] == "" {
			return true
		}
	}
	return false
}

// example returns a request that the pattern should match.
func (p *pattern) example() Request {
	r := Request{Method: p.method, Host: p.host, Target: examplePath(p.segments)}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	return r
}

func examplePath(segments []segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch {
		case s.kind == literal:
			b.WriteString(url.PathEscape(s.text))
		case s.isNamed():
			b.WriteByte('x')
		}
	}
	return b.String()
}

// register adds a pattern to a ServeMux. It returns the complaint of ServeMux about the pattern, or
// errPattern if it conflicts with another one.
func register(mux *http.ServeMux, text string) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = complaint(text, fmt.Sprint(cause))
		}
	}()
	mux.Handle(text, http.NotFoundHandler())
	return nil
}

var errPattern = errors.New("is not a pattern of Go's http.ServeMux")

// complaint converts a panic of ServeMux to an error. It drops the text of a conflict, which names places in Go
// code: they mean nothing to people who write routes.
func complaint(text, cause string) error {
	reason, ok := strings.CutPrefix(cause, fmt.Sprintf("parsing %q: ", text))
	if !ok || strings.Contains(reason, "\n") {
		return errPattern
	}
	return fmt.Errorf("%w: %s", errPattern, reason)
}

// overlap returns an error with the first accepted pattern that conflicts with this one, and a request that
// both match.
func (c *compiler) overlap(p *pattern) error {
	for i := range c.accepted {
		other := &c.accepted[i]
		mux := http.NewServeMux()
		if register(mux, other.text) == nil && register(mux, p.text) != nil {
			return fmt.Errorf("overlaps with route %d (%s): both match %s, and neither is more specific",
				c.numbers[other.text], shown(other.text), shown(common(p, other)))
		}
	}
	return errors.New("overlaps with another route")
}

// common returns a request that two overlapping patterns match.
func common(a, b *pattern) string {
	shorter, longer := a.segments, b.segments
	if len(shorter) > len(longer) {
		shorter, longer = longer, shorter
	}
	both := make([]segment, len(longer))
	for i := range longer {
		both[i] = longer[i]
		if i < len(shorter) && shorter[i].isNarrowerThan(longer[i]) {
			both[i] = shorter[i]
		}
	}
	request := a.host + examplePath(both)
	if method := commonMethod(a.method, b.method); method != "" {
		return method + " " + request
	}
	return request
}

// isNarrowerThan compares kinds, which are ordered from narrow to wide, except that end is as narrow as a
// literal.
func (s segment) isNarrowerThan(other segment) bool {
	return s.kind == end || other.kind != end && s.kind < other.kind
}

func commonMethod(a, b string) string {
	if a == "" || a == http.MethodGet && b != "" {
		return b
	}
	return a
}
