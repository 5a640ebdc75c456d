package routes_test

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/routes"
)

// A slow implementation of the documentation of ServeMux: the most specific pattern that matches.
// TestSpecification_IsServeMux compares it with ServeMux.

type specified struct {
	text, method string
	segments     []string
}

func specify(pattern string) *specified {
	s := &specified{text: pattern}
	path := pattern
	if method, rest, found := strings.Cut(pattern, " "); found {
		s.method, path = method, rest
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		text, _ := url.PathUnescape(segment)
		s.segments = append(s.segments, text)
	}
	return s
}

func isWildcard(segment string) bool { return segment != "" && segment[0] == '{' && segment != "{$}" }

func isRest(segment string) bool { return segment == "" || strings.HasSuffix(segment, "...}") }

// values returns the values of the wildcards by their names, or nil if the path does not match.
func (s *specified) values(path []string) map[string]string {
	values := map[string]string{}
	for i, segment := range s.segments {
		if i == len(path) {
			return nil
		}
		isEnd := i == len(path)-1 && path[i] == ""
		switch {
		case isRest(segment):
			if segment != "" {
				values[strings.Trim(segment, "{.}")] = strings.Join(path[i:], "/")
			}
			return values
		case segment == "{$}" && isEnd:
		case isWildcard(segment) && !isEnd:
			values[strings.Trim(segment, "{}")] = path[i]
		case segment != path[i] || segment == "{$}":
			return nil
		}
	}
	if len(path) > len(s.segments) {
		return nil
	}
	return values
}

// isExact reports whether the rest of a matching pattern stands for nothing but an empty end of the path.
func (s *specified) isExact(path []string) bool {
	return !isRest(s.segments[len(s.segments)-1]) || path[len(path)-1] == "" && len(path) == len(s.segments)
}

// rank is smaller for the more specific of two patterns that match the same.
func (s *specified) rank() string {
	var rank strings.Builder
	for _, segment := range s.segments {
		switch {
		case isRest(segment):
			rank.WriteByte('3')
		case isWildcard(segment):
			rank.WriteByte('2')
		default:
			rank.WriteByte('1')
		}
	}
	methods := map[string]string{"": " 3", "GET": " 2"}
	return rank.String() + cmp.Or(methods[s.method], " 1")
}

func (s *specified) serves(method string) bool {
	return s.method == "" || s.method == method || s.method == "GET" && method == "HEAD"
}

// search returns the most specific of the patterns that match, or nil.
func search(patterns []*specified, method string, path []string) (best *specified) {
	for _, s := range patterns {
		if s.serves(method) && s.values(path) != nil && (best == nil || s.rank() < best.rank()) {
			best = s
		}
	}
	return best
}

// answer is the result of one program.
type answer struct {
	pattern string
	values  map[string]string
}

func byHand(patterns []*specified, method string, path []string) answer {
	best := search(patterns, method, path)
	// A path that only lacks the slash at the end matches like one with it, unless a pattern matches it
	// exactly.
	if path[len(path)-1] != "" && (best == nil || !best.isExact(path)) {
		slashed := append(slices.Clip(path), "")
		if s := search(patterns, method, slashed); s != nil && s.isExact(slashed) {
			best, path = s, slashed
		}
	}
	if best == nil {
		return answer{}
	}
	return answer{best.text, best.values(path)}
}

var (
	literals   = rapid.SampledFrom([]string{"a", "b", "admin", "c d", "é"})
	anySegment = rapid.OneOf(rapid.Map(literals, url.PathEscape), rapid.Just("{}"))
	anyPattern = rapid.Custom(func(t *rapid.T) string {
		method := rapid.SampledFrom([]string{"", "", "GET ", "POST ", "HEAD "}).Draw(t, "method")
		segments := rapid.SliceOfN(anySegment, 0, 3).Draw(t, "segments")
		end := rapid.SampledFrom([]string{"", "", "/", "/{$}", "/{rest...}"}).Draw(t, "end")
		var b strings.Builder
		for i, s := range segments {
			b.WriteByte('/')
			if s == "{}" {
				s = "{" + string(rune('x'+i)) + "}"
			}
			b.WriteString(s)
		}
		if b.Len() == 0 && end == "" {
			end = "/"
		}
		return method + b.String() + end
	})
	// anyTable draws up to eight patterns that don't overlap.
	anyTable = rapid.Custom(func(t *rapid.T) []string {
		var patterns []string
		for _, p := range rapid.SliceOfN(anyPattern, 1, 8).Draw(t, "patterns") {
			if _, err := routes.Compile(matches(append(slices.Clip(patterns), p)...)); err == nil {
				patterns = append(patterns, p)
			}
		}
		return patterns
	})
	anyMethod = rapid.SampledFrom([]string{"GET", "HEAD", "POST", "PUT"})
)
