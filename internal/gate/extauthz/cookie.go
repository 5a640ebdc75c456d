package extauthz

import (
	"slices"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
)

// otherCookies is the Cookie header without the session, and whether the session was in it. A cookie that can't be told
// to Envoy, whose API has text only, is left out with it.
func otherCookies(lines []string) (others string, hadSession bool) {
	kept, hadSession := credential.WithoutSession(lines)
	if !hadSession {
		return "", false
	}
	cookies := strings.Split(strings.Join(kept, ";"), ";")
	for i := range cookies {
		cookies[i] = strings.TrimSpace(cookies[i])
	}
	return strings.Join(slices.DeleteFunc(cookies, isNoText), "; "), true
}

func isNoText(cookie string) bool { return cookie == "" || !isText(cookie) }
