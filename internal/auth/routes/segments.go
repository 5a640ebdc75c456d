package routes

import (
	"net/url"
	"strings"
)

// split returns the decoded segments of a reading. The last is empty when the reading ends with a slash.
func split(reading string) []string {
	segments := strings.Split(reading[1:], "/")
	if strings.IndexByte(reading, '%') < 0 {
		return segments
	}
	for i, s := range segments {
		if text, err := url.PathUnescape(s); err == nil {
			segments[i] = text
		}
	}
	return segments
}

// nothing stands for a segment that no literal of a pattern matches. No path has it.
const nothing = "%00"

// join writes decoded segments so that ServeMux takes each for what it is: it would resolve dots, and has a meaning of
// its own for an empty segment and for one that is a slash.
func join(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		b.WriteByte('/')
		switch {
		case s == "" && i == len(segments)-1:
		case s == "", s == "/":
			b.WriteString(nothing)
		case s == ".", s == "..":
			b.WriteString(strings.Repeat("%2E", len(s)))
		default:
			b.WriteString(url.PathEscape(s))
		}
	}
	return b.String()
}
