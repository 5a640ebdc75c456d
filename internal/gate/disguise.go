package gate

import (
	"net/http"
	"slices"
	"strings"
)

// OverrideHeaders make some apps take a request for one of another method.
var OverrideHeaders = [...]string{"X-Http-Method", "X-Http-Method-Override", "X-Method-Override"}

// isDisguised says that headers tell of another method than the request has.
func (a *Asked) isDisguised() bool {
	for name, values := range a.Header {
		if slices.Contains(OverrideHeaders[:], AsRead(name)) && slices.ContainsFunc(values, a.isOtherMethod) {
			return true
		}
	}
	return false
}

func (a *Asked) isOtherMethod(method string) bool { return !strings.EqualFold(method, a.Method) }

// AsRead is the canonical name that an app may take a header's for: many servers, going by CGI, make one character of
// everything that is neither letter nor digit.
func AsRead(name string) string {
	if strings.IndexFunc(name, isOdd) >= 0 {
		name = strings.Map(func(c rune) rune {
			if isOdd(c) {
				return '-'
			}
			return c
		}, name)
	}
	return http.CanonicalHeaderKey(name)
}

func isOdd(c rune) bool {
	return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}
