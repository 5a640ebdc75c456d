package extauthz

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// question is a CheckRequest, as much of it as counts. It is read from the wire as it is, since the generated type
// takes several times as long as everything else there is to do; and that fails on text that is no UTF-8, which would
// leave it to Envoy what becomes of the request.
type question struct {
	// isHTTP says that it is about an HTTP request: the TCP filter asks about connections.
	isHTTP                          bool
	method, host, path, query, peer string
	// headers are those of askedHeaders, by their place there.
	headers [len(askedHeaders)]told
}

// told is what a question has of one header, of both kinds that Envoy can send: one string for each name, or with
// encode_raw_headers a list of bytes. It has never both; from others both count.
type told struct {
	joined string
	found  bool
	raw    []string
}

// Numbers of fields in envoy.service.auth.v3 and envoy.config.core.v3.
const (
	checkRequestAttributes = 1

	attributesSource  = 1
	attributesRequest = 4

	peerAddress          = 1
	addressSocket        = 1
	addressPipe          = 2
	addressInternal      = 3
	socketAddressAddress = 2

	requestHTTP   = 2
	httpMethod    = 2
	httpHeaders   = 3
	httpPath      = 4
	httpHost      = 5
	httpQuery     = 7
	httpHeaderMap = 13

	entryKey         = 1
	entryValue       = 2
	headerMapHeaders = 1
	headerValueKey   = 1
	headerValueText  = 2
	headerValueRaw   = 3
)

// parse reads a CheckRequest. What comes twice counts as protobuf has it: the last of a value, all parts of a message.
func (q *question) parse(message []byte) error {
	return fields(message, func(number protowire.Number, attributes []byte) error {
		if number != checkRequestAttributes {
			return nil
		}
		return fields(attributes, q.attribute)
	})
}

func (q *question) attribute(number protowire.Number, content []byte) error {
	switch number {
	case attributesSource:
		return within(content, peerAddress, func(address []byte) error { return fields(address, q.address) })
	case attributesRequest:
		return within(content, requestHTTP, func(request []byte) error {
			q.isHTTP = true
			return fields(request, q.request)
		})
	}
	return nil
}

// address is one of several kinds, and the last counts.
func (q *question) address(number protowire.Number, content []byte) error {
	switch number {
	case addressSocket:
		return within(content, socketAddressAddress, func(address []byte) error {
			q.peer = string(address)
			return nil
		})
	case addressPipe, addressInternal:
		q.peer = ""
	}
	return nil
}

func (q *question) request(number protowire.Number, content []byte) error {
	switch number {
	case httpMethod:
		q.method = string(content)
	case httpPath:
		q.path = string(content)
	case httpHost:
		q.host = string(content)
	case httpQuery:
		q.query = string(content)
	case httpHeaders:
		return q.header(content)
	case httpHeaderMap:
		return within(content, headerMapHeaders, q.rawHeader)
	}
	return nil
}

// header is an entry of headers. Names are in lower case there.
func (q *question) header(entry []byte) error {
	var name, value []byte
	err := fields(entry, func(number protowire.Number, content []byte) error {
		switch number {
		case entryKey:
			name = content
		case entryValue:
			value = content
		}
		return nil
	})
	for i := range askedHeaders {
		if askedHeaders[i].envoys == string(name) {
			q.headers[i].joined, q.headers[i].found = string(value), true
		}
	}
	return err
}

// rawHeader is one of header_map. Only one of text and raw is to be set; where both are, both count.
func (q *question) rawHeader(header []byte) error {
	var name, text, raw []byte
	err := fields(header, func(number protowire.Number, content []byte) error {
		switch number {
		case headerValueKey:
			name = content
		case headerValueText:
			text = content
		case headerValueRaw:
			raw = content
		}
		return nil
	})
	if i := placeOf(string(name)); i >= 0 {
		q.headers[i].take(text, raw)
	}
	return err
}

// placeOf is where askedHeaders has a name, in any case, or -1.
func placeOf(name string) int {
	for i := range askedHeaders {
		if strings.EqualFold(askedHeaders[i].envoys, name) {
			return i
		}
	}
	return -1
}

func (t *told) take(text, raw []byte) {
	if len(text) > 0 || len(raw) == 0 {
		t.raw = append(t.raw, string(text))
	}
	if len(raw) > 0 {
		t.raw = append(t.raw, string(raw))
	}
}

// within visits each field of that number.
func within(message []byte, number protowire.Number, visit func(content []byte) error) error {
	return fields(message, func(n protowire.Number, content []byte) error {
		if n != number {
			return nil
		}
		return visit(content)
	})
}

// fields visits what a message has of texts, bytes and messages, and passes over the rest. The content is only lent.
func fields(message []byte, visit func(number protowire.Number, content []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		var content []byte
		if kind == protowire.BytesType {
			content, n = protowire.ConsumeBytes(message)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if kind != protowire.BytesType {
			continue
		}
		if err := visit(number, content); err != nil {
			return err
		}
	}
	return nil
}
