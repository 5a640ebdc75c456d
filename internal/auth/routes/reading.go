package routes

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A reading is a path as some program may understand it: its segments, with a / before each. What would have another
// meaning raw is escaped in it, in upper case, and nothing else: %25 %2E %2F %3B %3F %23 %5C. Which of these a program
// decodes, and when, is what the readings differ in.

const (
	// maxReadings is how many readings a path may have, and maxRead how many bytes they may be together. They bound what a
	// hostile request costs.
	maxReadings = 64
	maxRead     = 16 << 10
)

const (
	upperHex   = "0123456789ABCDEF"
	meaningful = `%./;?#\`
)

// canonical is the first reading: the path split at each / and only then decoded, once.
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

// unescape is the byte that an escape at the beginning of s stands for.
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

// isPlain says that every program reads this path alike.
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

// startsWithDots says that the first segment is . or ..
func startsWithDots(s string) bool {
	segment, _, _ := strings.Cut(s, "/")
	return segment == "." || segment == ".."
}

// visitReadings calls visit for every reading there is, beginning with the first, until one fails. It fails itself where
// there are too many, or one that no program should come upon.
func visitReadings(first string, visit func(reading string) error) error {
	w := walk{visit: visit, left: maxRead}
	err := w.to(first)
	// What a program may do to a path, another may do to the outcome. This goes on until nothing new comes of it.
	for i := 0; i < len(w.readings) && err == nil; i++ {
		err = w.from(w.readings[i])
	}
	return err
}

// walk goes from reading to reading.
type walk struct {
	// readings are those that were come to, each once.
	readings []string
	visit    func(reading string) error
	// left is how many bytes may still be read.
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

// rewrites are what programs do to paths, each a single step. One that finds nothing to do returns what it was given.
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

// decodingAgain takes an encoded % followed by two hexadecimal digits for an escape.
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

// withoutParameters drops those of each segment, as servlet containers do before they resolve dots.
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

// withoutAuthority takes what follows a leading // for a host, as parsers of URLs do that are given a path.
func withoutAuthority(s string) string {
	rest, is := strings.CutPrefix(s, "//")
	if !is {
		return s
	}
	_, path, _ := strings.Cut(rest, "/")
	return "/" + path
}

// withoutDots resolves . and .. as functions for file names do: /a/. is /a. For RFC 3986 (section 5.2.4) it is /a/, and
// to no route does that make a difference: see Find.
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
