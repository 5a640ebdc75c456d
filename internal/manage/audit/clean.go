package audit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/key/keyformat"
)

// Bounds in bytes. An entry with its mark stays below 2 KiB.
const (
	maxField   = 200
	maxAddress = 64
	maxDetail  = 512
	// MaxReason bounds the reason that a caller may give.
	MaxReason = 256
)

// clean removes what cannot be stored or shown everywhere, and keys: a person may type a key in place of a name.
func (t *Trail) clean(e *Entry) {
	for _, field := range []struct {
		text *string
		max  int
	}{
		{&e.Actor, maxField}, {&e.KeyID, maxAddress}, {&e.From, maxAddress}, {&e.Action, maxAddress},
		{&e.Target, maxField}, {&e.Outcome, maxAddress}, {&e.Detail, maxDetail},
		{&e.Reason, MaxReason},
	} {
		*field.text = shorten(keyformat.Hide(printable(*field.text), t.IsKey), field.max)
	}
}

// printable removes control characters, line separators and characters that change the text direction.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// shorten cuts between characters, to at most the given number of bytes.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const more = "…"
	cut := most - len(more)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}
