package httpapi

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/manage/audit"
)

// ReasonHeader carries why a caller makes a change. It goes into the audit trail and the event.
const ReasonHeader = "Keywright-Reason"

// checkReason refuses a reason that could not be recorded as it is, and reports whether the request may go on.
func (c *Call) checkReason() bool {
	given := c.R.Header.Values(ReasonHeader)
	if len(given) == 0 || len(given) == 1 && isReason(given[0]) {
		return true
	}
	c.Refuse(http.StatusBadRequest, ReasonHeader+": must be one line of text, at most 256 bytes, given once")
	return false
}

func isReason(text string) bool {
	isOdd := func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
	return len(text) <= audit.MaxReason && utf8.ValidString(text) && !strings.ContainsFunc(text, isOdd)
}
