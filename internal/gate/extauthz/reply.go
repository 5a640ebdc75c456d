package extauthz

import (
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protowire"
)

// reply is a CheckResponse as it is on the wire. It is not to be changed once it was given away.
type reply []byte

// Numbers of fields in envoy.service.auth.v3 and envoy.config.core.v3.
const (
	checkResponseStatus = 1
	checkResponseOK     = 3

	okHeaders         = 2
	okHeadersToRemove = 5
	okResponseHeaders = 6

	optionHeader       = 1
	optionAppendAction = 3
)

// maxValue bounds the value of a header that Envoy is told to set, in bytes (its API).
const maxValue = 16 << 10

// okResponse is an OkHttpResponse as it is on the wire.
type okResponse []byte

// replace puts a value in the place of whatever the client sent. One that is empty is removed rather than set: what
// becomes of an empty one depends on who reads the reply, and the client's own must not stay. So is one that Envoy's API
// has no room for.
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

// option adds a HeaderValueOption.
func (r okResponse) option(number protowire.Number, name, value string, action corev3.HeaderValueOption_HeaderAppendAction) okResponse {
	header := sizeOf(headerValueKey, len(name)) + sizeOf(headerValueText, len(value))
	size := sizeOf(optionHeader, header) + protowire.SizeTag(optionAppendAction) + protowire.SizeVarint(uint64(action))
	r = appendLength(r, number, size)
	r = appendLength(r, optionHeader, header)
	r = protowire.AppendString(protowire.AppendTag(r, headerValueKey, protowire.BytesType), name)
	r = protowire.AppendString(protowire.AppendTag(r, headerValueText, protowire.BytesType), value)
	return protowire.AppendVarint(protowire.AppendTag(r, optionAppendAction, protowire.VarintType), uint64(action))
}

// reply is the whole answer: a status that is empty, OK, and the response.
func (r okResponse) reply() reply {
	all := make([]byte, 0, sizeOf(checkResponseStatus, 0)+sizeOf(checkResponseOK, len(r)))
	all = appendLength(all, checkResponseStatus, 0)
	return append(appendLength(all, checkResponseOK, len(r)), r...)
}

// sizeOf is how long a field is with content of that length.
func sizeOf(number protowire.Number, length int) int {
	return protowire.SizeTag(number) + protowire.SizeBytes(length)
}

func appendLength(b []byte, number protowire.Number, length int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.BytesType), uint64(length))
}
