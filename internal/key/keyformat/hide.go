package keyformat

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// minBody is the length from which letters and digits after a prefix count as a part of a generated key. It is longer
	// than what Shown shows.
	minBody = 16
	// maxChecks bounds how often Hide asks for a text whether something is on record.
	maxChecks = 2048
	// withheld takes the place of the rest of a text that would need more.
	withheld = "(withheld: it may contain a key)"
	// delimiters separate a key from the text around it. A key that a person made up may contain them as well.
	delimiters = "/\"'`:=&?,;()[]{}<>@|\\%.#"
)

// Hide replaces every key in a text: those that onRecord recognizes, also if escaped as in URLs or in quotes, and
// everything that begins like a generated key, whole or not. Everything that came with a request goes through Hide
// before it is logged.
func Hide(text string, onRecord func(key string) bool) string {
	if len(text) < MinLength {
		return text
	}
	h := hider{onRecord: onRecord, checksLeft: maxChecks}
	for text != "" && h.checksLeft > 0 {
		word := len(text) - len(strings.TrimLeftFunc(text, isVisible))
		if word > 0 {
			h.add(text[:word])
		} else {
			_, word = utf8.DecodeRuneInString(text)
			h.out.WriteString(text[:word])
		}
		text = text[word:]
	}
	if h.checksLeft <= 0 {
		h.out.WriteString(withheld)
	}
	return h.out.String()
}

func isVisible(r rune) bool { return r > ' ' && r < '\x7f' }

type hider struct {
	onRecord   func(key string) bool
	checksLeft int
	out        strings.Builder
}

// add adds a word without the keys in it. Those on record come first: one may contain what begins like a generated key.
func (h *hider) add(word string) {
	for start := 0; start+MinLength <= len(word); {
		if length := h.recordedAt(word[start:]); length > 0 {
			h.out.WriteString(hideGenerated(word[:start]) + Redacted)
			word, start = word[start+length:], 0
			continue
		}
		if h.checksLeft <= 0 {
			h.out.WriteString(hideGenerated(word[:start]))
			return
		}
		start = nextStart(word, start)
	}
	h.out.WriteString(hideGenerated(word))
}

// nextStart returns the next position at which a key may begin: after a delimiter, or after an escape such as %2F.
func nextStart(word string, start int) int {
	if start > 0 && word[start-1] == '%' && isEscape(word[start:]) {
		return start + len("2F")
	}
	i := strings.IndexAny(word[start:], delimiters)
	if i < 0 {
		return len(word)
	}
	return start + i + 1
}

// isEscape reports whether a text begins with two hexadecimal digits.
func isEscape(text string) bool {
	if len(text) < len("2F") {
		return false
	}
	_, err := strconv.ParseUint(text[:len("2F")], 16, 8)
	return err == nil
}

// recordedAt returns the length of the longest key at the beginning of a text, or 0.
func (h *hider) recordedAt(text string) int {
	// An escape takes three characters for one.
	for end := min(len(text), 3*MaxLength); end >= MinLength && h.checksLeft > 0; {
		if h.isRecorded(text[:end]) {
			return end
		}
		end = strings.LastIndexAny(text[:end], delimiters)
	}
	return 0
}

func (h *hider) isRecorded(text string) bool {
	if h.check(text) {
		return true
	}
	if strings.Contains(text, "%") {
		if decoded, err := url.PathUnescape(text); err == nil && decoded != text && h.check(decoded) {
			return true
		}
	}
	if strings.Contains(text, `\`) {
		if decoded, err := strconv.Unquote(`"` + text + `"`); err == nil && h.check(decoded) {
			return true
		}
	}
	return false
}

func (h *hider) check(text string) bool {
	if len(text) < MinLength || len(text) > MaxLength {
		return false
	}
	h.checksLeft--
	return h.onRecord(text)
}

// hideGenerated replaces what begins like a generated key.
func hideGenerated(word string) string {
	var out strings.Builder
	for {
		start, end := findGenerated(word)
		if end == 0 {
			out.WriteString(word)
			return out.String()
		}
		out.WriteString(word[:start] + Redacted)
		word = word[end:]
	}
}

// findGenerated returns where something begins and ends that begins like a generated key. end is 0 without one.
func findGenerated(word string) (start, end int) {
	for i := strings.IndexByte(word, '_'); i >= 0; {
		start = prefixStart(word, i)
		end = i + 1
		for end < len(word) && isBase62(word[end]) {
			end++
		}
		if start < i && end-i > minBody {
			return start, end
		}
		next := strings.IndexByte(word[i+1:], '_')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return 0, 0
}

// prefixStart returns where the longest prefix begins that ends with the _ at an index, or the index without one.
func prefixStart(word string, underscore int) int {
	start := underscore
	for start > 0 && underscore-start < longestPrefix-1 && isLowerOrDigit(word[start-1]) {
		start--
	}
	for start < underscore && word[start] <= '9' {
		start++
	}
	return start
}

func isLowerOrDigit(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' }

func isBase62(c byte) bool { return isLowerOrDigit(c) || 'A' <= c && c <= 'Z' }
