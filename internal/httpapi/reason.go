package httpapi

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
)

// ReasonHeader carries why a caller makes a change. It goes into the audit trail and the event.
const ReasonHeader = "Keywright-Reason"

// reason returns the reason that the caller gives. The error is for one that could not be recorded as it is.
func (c *Call) reason() (string, error) {
	given := c.R.Header.Values(ReasonHeader)
	switch {
	case len(given) == 0:
		return "", nil
	case len(given) > 1 || !isReason(given[0]):
		return "", manage.InvalidField(ReasonHeader, "must be one line of text, at most 256 bytes, given once")
	}
	return keyformat.Hide(given[0], c.Gate.IsKey), nil
}

func isReason(text string) bool {
	isOdd := func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
	return len(text) <= audit.MaxReason && utf8.ValidString(text) && !strings.ContainsFunc(text, isOdd)
}
