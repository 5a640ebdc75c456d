package gate

import (
	"maps"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/auth/credential"
)

// HeaderUse is what Keywright or an app uses a header for.
type HeaderUse uint8

// Uses of headers.
const (
	// HeaderCredential may carry a key. If CREDENTIALS lists one of its forms it is for Keywright alone, else it is the
	// app's own.
	HeaderCredential HeaderUse = iota
	// HeaderCookie carries the session, the saved name and the app's own cookies.
	HeaderCookie
	// HeaderIdentity describes the caller to the app.
	HeaderIdentity
	// HeaderMethodOverride makes some apps treat a request as one of another method.
	HeaderMethodOverride
	// HeaderDescription describes caller, method or target of a request. It is for Keywright alone: some apps read it in
	// place of the request that was decided on.
	HeaderDescription
	// HeaderOrigin describes where a request came from: the address of the client, and the host and the scheme that the
	// client used. The last proxy in front of the app sets it.
	HeaderOrigin
)

// Headers with the address of the client. ForwardedFor has those of the proxies as well.
const (
	ForwardedFor = "X-Forwarded-For"
	RealIP       = "X-Real-Ip"
)

// KnownHeader is a header with a use.
type KnownHeader struct {
	// Name is the canonical name.
	Name string
	Use  HeaderUse
	// Forms are the forms of a key that the header may carry.
	Forms credential.Forms
	// lower is the name in lower case.
	lower string
}

var knownHeaders = known(map[HeaderUse][]string{
	HeaderCredential:     slices.Sorted(maps.Keys(credential.Headers())),
	HeaderCookie:         {"Cookie"},
	HeaderIdentity:       IdentityHeaders[:],
	HeaderMethodOverride: {"X-Http-Method", "X-Http-Method-Override", "X-Method-Override"},
	HeaderDescription: {
		"X-Forwarded-User", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-Uri",
		"X-Original-Url", "X-Rewrite-Url",
	},
	HeaderOrigin: {
		"Forwarded", ForwardedFor, "X-Forwarded-Host", "X-Forwarded-Proto",
		// Load balancers, content delivery networks and platforms name the client in these.
		RealIP, "True-Client-Ip", "Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Forwarded", "Forwarded-For",
		"X-Original-Forwarded-For", "X-Originating-Ip", "X-Remote-Ip", "X-Remote-Addr", "X-Envoy-External-Address",
		"Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Cf-Pseudo-Ipv4", "Fastly-Client-Ip", "Fly-Client-Ip",
		"Do-Connecting-Ip", "X-Appengine-User-Ip", "X-Azure-Clientip", "X-Azure-Socketip",
		"X-Nf-Client-Connection-Ip", "X-Vercel-Forwarded-For",
	},
})

func known(byUse map[HeaderUse][]string) (all []*KnownHeader) {
	forms := credential.Headers()
	for use := range HeaderOrigin + 1 {
		for _, name := range byUse[use] {
			all = append(all, &KnownHeader{Name: name, Use: use, Forms: forms[name], lower: strings.ToLower(name)})
		}
	}
	return all
}

// IsForApp reports whether the app may receive the header as the client sent it, if keys count in these forms.
func (h *KnownHeader) IsForApp(accepted credential.Forms) bool {
	switch h.Use {
	case HeaderCookie, HeaderMethodOverride:
		return true
	case HeaderCredential:
		return !accepted.Have(h.Forms)
	}
	return false
}

// knownByLength holds knownHeaders by the length of the name, which is the same in every spelling.
var knownByLength = func() (all [][]*KnownHeader) {
	for _, h := range knownHeaders {
		all = append(all, make([][]*KnownHeader, max(0, len(h.Name)+1-len(all)))...)
		all[len(h.Name)] = append(all[len(h.Name)], h)
	}
	return all
}()

// KnownHeaders returns every header with a use.
func KnownHeaders() []*KnownHeader { return slices.Clone(knownHeaders) }

// LookUpHeader returns the known header that an app may read a name as, or nil. Case does not matter, nor which
// characters separate the words: CGI-style app servers map every character that is neither letter nor digit to one and
// the same. Every surface reads names through LookUpHeader.
func LookUpHeader[T string | []byte](name T) *KnownHeader {
	if len(name) >= len(knownByLength) {
		return nil
	}
	for _, h := range knownByLength[len(name)] {
		if isSpelling(name, h.lower) {
			return h
		}
	}
	return nil
}

// isSpelling expects a name as long as the known one.
func isSpelling[T string | []byte](name T, known string) bool {
	for i := range len(known) {
		if plain[name[i]] != known[i] {
			return false
		}
	}
	return true
}

// plain maps a letter to lower case, a digit to itself, and any other character to a hyphen.
var plain = func() (table [256]byte) {
	for i := range table {
		switch c := byte(i); {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			table[i] = c
		case 'A' <= c && c <= 'Z':
			table[i] = c - 'A' + 'a'
		default:
			table[i] = '-'
		}
	}
	return table
}()

// LookUpOddHeader is LookUpHeader for a name that has other characters than letters, digits and hyphens. For any other
// name it returns nil.
func LookUpOddHeader(name string) *KnownHeader {
	for i := range len(name) {
		if plain[name[i]] == '-' && name[i] != '-' {
			return LookUpHeader(name)
		}
	}
	return nil
}

// IsIdentityHeader reports whether an app may read a header as one of IdentityHeaders.
func IsIdentityHeader(name string) bool {
	h := LookUpHeader(name)
	return h != nil && h.Use == HeaderIdentity
}

// overridesMethod reports whether a header names another method than the request's own.
func (r *Request) overridesMethod() bool {
	for name, values := range r.Header {
		h := LookUpHeader(name)
		if h != nil && h.Use == HeaderMethodOverride && slices.ContainsFunc(values, r.listsOtherMethod) {
			return true
		}
	}
	return false
}

// listsOtherMethod reads a list: proxies may join the values of a repeated header by commas.
func (r *Request) listsOtherMethod(list string) bool {
	for method := range strings.SplitSeq(list, ",") {
		if !strings.EqualFold(strings.Trim(method, " \t"), r.Method) {
			return true
		}
	}
	return false
}
