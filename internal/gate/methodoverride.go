package gate

import (
	"net/http"
	"slices"
	"strings"
)

// MethodOverrideHeaders make some apps treat a request as one of another method.
var MethodOverrideHeaders = [...]string{"X-Http-Method", "X-Http-Method-Override", "X-Method-Override"}

// overridesMethod reports whether a header names another method than the request's own.
func (r *Request) overridesMethod() bool {
	for name, values := range r.Header {
		if slices.Contains(MethodOverrideHeaders[:], CGIHeaderName(name)) && slices.ContainsFunc(values, r.isOtherMethod) {
			return true
		}
	}
	return false
}

func (r *Request) isOtherMethod(method string) bool { return !strings.EqualFold(method, r.Method) }

// CGIHeaderName returns the canonical form of a header name as a CGI-style app server reads it: such servers map every
// character that is neither letter nor digit to one and the same.
func CGIHeaderName(name string) string {
	if strings.IndexFunc(name, isPunctuation) >= 0 {
		name = strings.Map(func(c rune) rune {
			if isPunctuation(c) {
				return '-'
			}
			return c
		}, name)
	}
	return http.CanonicalHeaderKey(name)
}

func isPunctuation(c rune) bool {
	return c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
}
