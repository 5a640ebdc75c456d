package routes

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A reading is a path as some program may understand it: its segments, with a / before each. It escapes only
// characters that would have another meaning, in upper case: %25 %2E %2F %3B %3F %23 %5C. Readings differ in
// which of these a program decodes, and when.

const (
	// maxReadings bounds the number of readings of a path, and maxRead their total bytes. Both bound the cost
	// of a hostile request.
	maxReadings = 64
	maxRead     = 16 << 10
)

const (
	upperHex   = "0123456789ABCDEF"
	meaningful = `%./;?#\`
)

// canonical returns the first reading: the path split at each / and then decoded once.
func canonical(path string) (string, error) {
	if strings.IndexByte(path, '%') >= 0 {
		var err error
		if path, err = decode(path); err != nil {
			return "", err
		}
	}
	if !isText(path) {
		return "", badText
	}
	return path, nil
}

func decode(path string) (string, error) {
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b = append(b, path[i])
			continue
		}
		c, ok := unescape(path[i:])
		if !ok {
			return "", badEscape
		}
		i += 2
		if strings.IndexByte(meaningful, c) >= 0 {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b), nil
}

// unescape returns the byte of the escape at the beginning of s.
func unescape(s string) (c byte, ok bool) {
	if len(s) < 3 {
		return 0, false
	}
	high, low := hexDigit(s[1]), hexDigit(s[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(c byte) int {
	if 'a' <= c && c <= 'f' {
		c -= 'a' - 'A'
	}
	return strings.IndexByte(upperHex, c)
}

func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
		}
	}
	return true
}

// isPlain reports whether every program reads the path alike.
func isPlain(reading string) bool {
	for i := range len(reading) {
		switch reading[i] {
		case '%', ';', '\\':
			return false
		case '/':
			if rest := reading[i+1:]; rest != "" && (rest[0] == '/' || rest[0] == '.' && startsWithDots(rest)) {
				return false
			}
		}
	}
	return true
}

// startsWithDots reports whether the first segment is . or ..
func startsWithDots(s string) bool {
	segment, _, _ := strings.Cut(s, "/")
	return segment == "." || segment == ".."
}

// visitReadings calls visit for every reading, beginning with the first, until a call fails. It also fails if
// there are too many readings, or an invalid one.
func visitReadings(first string, visit func(reading string) error) error {
	w := walk{visit: visit, left: maxRead}
	err := w.to(first)
	// One program may rewrite the output of another, so this continues until no rewrite finds a new reading.
	for i := 0; i < len(w.readings) && err == nil; i++ {
		err = w.from(w.readings[i])
	}
	return err
}

// walk finds all readings by rewriting each one that it has found.
type walk struct {
	// readings has each reading found so far once.
	readings []string
	visit    func(reading string) error
	// left is the remainder of maxRead.
	left int
}

func (w *walk) from(reading string) error {
	for _, rewrite := range rewrites {
		next, err := rewrite(reading)
		if err == nil && !slices.Contains(w.readings, next) {
			err = w.to(next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) to(reading string) error {
	w.left -= len(reading)
	if w.left < 0 || len(w.readings) == maxReadings {
		return manyReadings
	}
	w.readings = append(w.readings, reading)
	return w.visit(reading)
}

// rewrites are the single steps by which programs rewrite paths. A step that does not apply returns its input.
var rewrites = []func(reading string) (string, error){
	replacing("%2F", "/"),
	replacing("%5C", `\`),
	replacing(`\`, "/"),
	replacing("%2E", "."),
	replacing("%3B", ";"),
	decodingAgain,
	cutting(";"),
	cutting("%3F"),
	cutting("%23"),
	always(withoutParameters),
	always(withSingleSlashes),
	always(withoutAuthority),
	always(withoutDots),
}

func always(rewrite func(string) string) func(string) (string, error) {
	return func(s string) (string, error) { return rewrite(s), nil }
}

func replacing(before, after string) func(string) (string, error) {
	return always(func(s string) string { return strings.ReplaceAll(s, before, after) })
}

func cutting(mark string) func(string) (string, error) {
	return always(func(s string) string {
		path, _, _ := strings.Cut(s, mark)
		return path
	})
}

// decodingAgain decodes an encoded % with two hexadecimal digits as an escape.
func decodingAgain(s string) (string, error) {
	const escaped = "%25"
	var b strings.Builder
	before, after, found := strings.Cut(s, escaped)
	for found {
		b.WriteString(before)
		if _, ok := unescape("%" + after[:min(2, len(after))]); ok {
			b.WriteByte('%')
		} else {
			b.WriteString(escaped)
		}
		before, after, found = strings.Cut(after, escaped)
	}
	if b.Len() == 0 {
		return s, nil
	}
	b.WriteString(before)
	return canonical(b.String())
}

// withoutParameters drops the parameters of each segment, as servlet containers do before they resolve dots.
func withoutParameters(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	segments := strings.Split(s, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

func withSingleSlashes(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// withoutAuthority drops a leading // and a host after it, as URL parsers do with a path.
func withoutAuthority(s string) string {
	rest, ok := strings.CutPrefix(s, "//")
	if !ok {
		return s
	}
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// withoutDots resolves . and .. as functions for file names do: /a/. is /a. In RFC 3986 (section 5.2.4) it is
// /a/, which makes no difference to a route: see Find.
func withoutDots(s string) string {
	if !strings.Contains(s, "/.") {
		return s
	}
	segments := strings.Split(s[1:], "/")
	kept := segments[:0]
	for _, segment := range segments {
		switch segment {
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		case ".":
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

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

// unmatchable is a segment that no literal of a pattern matches and that no path has.
const unmatchable = "%00"

// join encodes segments so that ServeMux compares each as it is. ServeMux resolves dots, and treats an empty
// segment and a segment of a slash in its own way.
func join(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		b.WriteByte('/')
		switch {
		case s == "" && i == len(segments)-1:
		case s == "", s == "/":
			b.WriteString(unmatchable)
		case s == ".", s == "..":
			b.WriteString(strings.Repeat("%2E", len(s)))
		default:
			b.WriteString(url.PathEscape(s))
		}
	}
	return b.String()
}
