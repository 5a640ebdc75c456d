package extauthz

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"keywright.dev/keywright/internal/auth/credential"
	"keywright.dev/keywright/internal/gate"
)

// checkResponse is a CheckResponse in the wire format. It must not be changed after it was returned.
type checkResponse []byte

// okResponse is an OkHttpResponse in the wire format.
type okResponse []byte

// identityHeaders are gate.IdentityHeaders in lower case, as Envoy writes them.
var identityHeaders = func() (names [len(gate.IdentityHeaders)]string) {
	for i, name := range gate.IdentityHeaders {
		names[i] = strings.ToLower(name)
	}
	return names
}()

// identityVariants are the identity headers with one or more - replaced by _, which many app servers read as the same.
var identityVariants = func() (all []string) {
	for _, name := range identityHeaders {
		all = append(all, variants(name)[1:]...)
	}
	return all
}()

// removeVariants is a response that removes identityVariants. They are removed from every request: Envoy may be
// configured not to send all headers.
var removeVariants = func() (r okResponse) {
	for _, name := range identityVariants {
		r = r.remove(name)
	}
	return r
}()

// keywrightsOwn are those of relevantHeaders that the app must not get. A header of keys is the app's own if no key
// counts in its form.
var keywrightsOwn = func() (all []*gate.KnownHeader) {
	for _, h := range relevantHeaders {
		known := gate.LookUpHeader(h.canonical)
		if known.Use == gate.HeaderCredential || known.Use == gate.HeaderDescription {
			all = append(all, known)
		}
	}
	return all
}()

// removedFirst are the names, in lower case, that admit removes before it looks at other headers.
var removedFirst = func() []string {
	all := slices.Clone(identityVariants)
	for _, known := range keywrightsOwn {
		all = append(all, strings.ToLower(known.Name))
	}
	return all
}()

// variants returns all ways to write a name with - or _, beginning with the name itself.
func variants(name string) []string {
	before, after, found := strings.Cut(name, "-")
	if !found {
		return []string{name}
	}
	var all []string
	for _, separator := range []string{"-", "_"} {
		for _, rest := range variants(after) {
			all = append(all, before+separator+rest)
		}
	}
	return all
}

// usualSize is enough for most responses, in bytes.
const usualSize = 1 << 10

// admit returns a response that adds the identity headers, and removes the credentials and everything that the app
// might read in their place. Envoy sets headers first and removes last (Filter::onComplete of its ext_authz), so no
// header may be in both lists.
func admit(d *gate.Decision, q *checkRequest, header http.Header) checkResponse {
	var buffer [usualSize]byte
	r := append(okResponse(buffer[:0]), removeVariants...)
	for i, value := range d.Caller.Identity() {
		r = r.replace(identityHeaders[i], value)
	}
	r = withhold(r, d, header)
	for _, name := range q.unwanted(d) {
		r = r.remove(name)
	}
	if d.SetCookie != "" {
		// Envoy before 1.31 overwrites the app's cookies in a reply that carries ours.
		r = r.option(okResponseHeaders, "set-cookie", d.SetCookie, corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD)
	}
	return r.complete()
}

// withhold removes the credentials, which the app must not receive: keys, the session cookie and the name from a proxy.
func withhold(r okResponse, d *gate.Decision, header http.Header) okResponse {
	for _, known := range keywrightsOwn {
		if _, found := header[known.Name]; found && !known.IsForApp(d.Forms) {
			r = r.remove(strings.ToLower(known.Name))
		}
	}
	if others, hadSession := otherCookies(header["Cookie"]); hadSession {
		r = r.replace("cookie", others)
	}
	return r
}

// otherCookies returns the Cookie header without the session, and whether it held the session. It drops cookies that
// are not text, because Envoy's API cannot carry them.
func otherCookies(lines []string) (others string, hadSession bool) {
	kept, hadSession := credential.WithoutSession(lines)
	if !hadSession {
		return "", false
	}
	cookies := strings.Split(strings.Join(kept, ";"), ";")
	for i := range cookies {
		cookies[i] = strings.TrimSpace(cookies[i])
	}
	return strings.Join(slices.DeleteFunc(cookies, isUnsendable), "; "), true
}

func isUnsendable(cookie string) bool { return !isText(cookie) }

// Field numbers in envoy.service.auth.v3 and envoy.config.core.v3.
const (
	checkResponseStatus = 1
	checkResponseOK     = 3

	okHeaders         = 2
	okHeadersToRemove = 5
	okResponseHeaders = 6

	optionHeader       = 1
	optionAppendAction = 3
)

// maxValue is the longest header value in Envoy's API, in bytes.
const maxValue = 16 << 10

// replace sets a header in place of the client's own. It removes the header if the value is empty or does not fit
// Envoy's API: clients of the API differ in what they do with an empty value, and the client's own must not stay.
func (r okResponse) replace(name, value string) okResponse {
	if !isText(value) {
		return r.remove(name)
	}
	return r.option(okHeaders, name, value, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD)
}

func isText(value string) bool {
	return value != "" && len(value) <= maxValue && utf8.ValidString(value) && !strings.ContainsAny(value, "\x00\r\n")
}

func (r okResponse) remove(name string) okResponse {
	return protowire.AppendString(protowire.AppendTag(r, okHeadersToRemove, protowire.BytesType), name)
}

// option appends a HeaderValueOption.
func (r okResponse) option(
	number protowire.Number, name, value string, action corev3.HeaderValueOption_HeaderAppendAction,
) okResponse {
	header := sizeOf(headerValueKey, len(name)) + sizeOf(headerValueText, len(value))
	size := sizeOf(optionHeader, header) + protowire.SizeTag(optionAppendAction) + protowire.SizeVarint(uint64(action))
	r = appendLength(r, number, size)
	r = appendLength(r, optionHeader, header)
	r = protowire.AppendString(protowire.AppendTag(r, headerValueKey, protowire.BytesType), name)
	r = protowire.AppendString(protowire.AppendTag(r, headerValueText, protowire.BytesType), value)
	return protowire.AppendVarint(protowire.AppendTag(r, optionAppendAction, protowire.VarintType), uint64(action))
}

// complete returns the whole CheckResponse: an empty status, which means OK, and the response.
func (r okResponse) complete() checkResponse {
	all := make([]byte, 0, sizeOf(checkResponseStatus, 0)+sizeOf(checkResponseOK, len(r)))
	all = appendLength(all, checkResponseStatus, 0)
	return append(appendLength(all, checkResponseOK, len(r)), r...)
}

// sizeOf returns the length of a field with content of that length.
func sizeOf(number protowire.Number, length int) int {
	return protowire.SizeTag(number) + protowire.SizeBytes(length)
}

func appendLength(b []byte, number protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(length))
}
