package extauthz

import (
	"slices"
	"strings"

	"keywright.dev/keywright/internal/credential"
)

// otherCookies is the Cookie header without the session, and whether the session was in it. A cookie that can't be told
// to Envoy, whose API has text only, is left out with it.
func otherCookies(lines []string) (others string, hadSession bool) {
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, credential.SessionCookie) }) {
		return "", false
	}
	var kept []string
	for _, line := range lines {
		for cookie := range strings.SplitSeq(line, ";") {
			switch cookie = strings.TrimSpace(cookie); {
			case isSession(cookie):
				hadSession = true
			case isText(cookie):
				kept = append(kept, cookie)
			}
		}
	}
	return strings.Join(kept, "; "), hadSession
}

// isSession knows the session also where Envoy has joined two Cookie headers with a comma.
func isSession(cookie string) bool {
	for part := range strings.SplitSeq(cookie, ",") {
		if name, _, _ := strings.Cut(part, "="); strings.TrimSpace(name) == credential.SessionCookie {
			return true
		}
	}
	return false
}
