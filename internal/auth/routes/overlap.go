package routes

import (
	"errors"
	"fmt"
	"net/http"
)

// overlap names the first of the accepted patterns that can't be beside this one, and a request that shows why.
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

// common is a request that both of two overlapping patterns match.
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

// isNarrowerThan: the kinds are in the order of how little they match, but for end, which is a literal of sorts.
func (s segment) isNarrowerThan(other segment) bool {
	return s.kind == end || other.kind != end && s.kind < other.kind
}

func commonMethod(a, b string) string {
	if a == "" || a == http.MethodGet && b != "" {
		return b
	}
	return a
}
