package routes

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// pattern is one of http.ServeMux, taken apart. What may be one is for ServeMux to say: see register.
type pattern struct {
	text, method, host string
	segments           []segment
}

type segment struct {
	kind segmentKind
	// text is the name of a wildcard; of a literal, what it matches.
	text string
}

type segmentKind uint8

const (
	literal segmentKind = iota
	// wildcard is one segment: {id}.
	wildcard
	// remainder is all that is left, and may be empty: {path...}, or a slash at the end, which has no name.
	remainder
	// end is an empty last segment: {$}.
	end
)

// parsePattern takes a pattern apart that ServeMux accepts.
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
	// An empty segment at the end is a slash at the end; ServeMux knows no other.
	if last := &p.segments[len(p.segments)-1]; last.kind == literal && last.text == "" {
		last.kind = remainder
	}
	return p
}

func parseSegment(s string) segment {
	if s == "{$}" {
		return segment{kind: end}
	}
	if name, is := strings.CutPrefix(s, "{"); is {
		name = strings.TrimSuffix(name, "}")
		if name, is := strings.CutSuffix(name, "..."); is {
			return segment{remainder, name}
		}
		return segment{wildcard, name}
	}
	// An escape that is none stands for itself, as it does for ServeMux.
	if text, err := url.PathUnescape(s); err == nil {
		s = text
	}
	return segment{literal, s}
}

// names are those of the wildcards, in their order. {path...} is called path.
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

// values are those of the named wildcards in a path that matches, given by its decoded segments. A path that only lacks
// the slash at the end matches too.
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

// takesEmpty says that a wildcard for one segment stands for an empty one here. In some programs it may, in others not.
func (p *pattern) takesEmpty(path []string) bool {
	for i := range min(len(p.segments), len(path)) {
		if p.segments[i].kind == wildcard && path[i] == "" {
			return true
		}
	}
	return false
}

// example is a request that the pattern should match.
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

// register fails with what ServeMux says of the pattern, or with errPattern where that is of the patterns beside it.
func register(mux *http.ServeMux, text string) (err error) {
	defer func() {
		if said := recover(); said != nil {
			err = complaint(text, fmt.Sprint(said))
		}
	}()
	mux.Handle(text, http.NotFoundHandler())
	return nil
}

var errPattern = errors.New("is no pattern of Go's http.ServeMux")

// complaint makes an error of what ServeMux panics with. Of overlaps it says where in the source they were registered,
// which tells nobody anything who writes routes.
func complaint(text, said string) error {
	reason, is := strings.CutPrefix(said, fmt.Sprintf("parsing %q: ", text))
	if !is || strings.Contains(reason, "\n") {
		return errPattern
	}
	return fmt.Errorf("%w: %s", errPattern, reason)
}
