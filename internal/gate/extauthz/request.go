package extauthz

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"keywright.dev/keywright/internal/gate"
)

// checkRequest holds the parts of a CheckRequest that the gate needs, read from the wire format.
type checkRequest struct {
	// isHTTP is false for a request of Envoy's TCP filter, which asks about connections.
	isHTTP                          bool
	method, host, path, query, peer string
	// headers has the same order as relevantHeaders.
	headers [len(relevantHeaders)]headerValues
	others  []otherHeader
	// isForged is true if others do not fit or cannot be removed.
	isForged bool
	// parent is nil unless spans are recorded.
	parent *parent
}

// headerValues holds one header in both forms that Envoy can send: one string for each name or, with
// encode_raw_headers, a list of bytes. Envoy never sends both; if another client does, both count.
type headerValues struct {
	// joined is an array so that a header of one value costs no allocation of its own.
	joined [1]string
	found  bool
	raw    []string
}

// values returns everything that was sent.
func (v *headerValues) values() []string {
	if v.found {
		return append(v.joined[:1:1], v.raw...)
	}
	return v.raw
}

// relevantHeaders are the headers that gate.Request needs, by Envoy's name and by the canonical one.
var relevantHeaders = [...]struct{ envoy, canonical string }{
	{"authorization", "Authorization"},
	{"x-api-key", "X-Api-Key"},
	{"cookie", "Cookie"},
	{forwardedUser, "X-Forwarded-User"},
	{"x-forwarded-for", gate.ForwardedFor},
	{"x-http-method", "X-Http-Method"},
	{"x-http-method-override", "X-Http-Method-Override"},
	{"x-method-override", "X-Method-Override"},
}

const forwardedUser = "x-forwarded-user"

// headerIndex returns the index of a known header in relevantHeaders, or -1.
func headerIndex(known *gate.KnownHeader) int {
	for i := range relevantHeaders {
		if relevantHeaders[i].canonical == known.Name {
			return i
		}
	}
	return -1
}

// gateRequest returns the request that Envoy asks about. The pseudo-headers among its headers (:method, :path) do not
// count: their content has fields of its own.
func (q *checkRequest) gateRequest() gate.Request {
	target, agree := target(q.path, q.query)
	return gate.Request{
		Surface: gate.ExtAuthz, Method: q.method, Host: q.host, Target: target, Contradictory: !agree, Forged: q.isForged,
		Header: q.httpHeader(), RemoteAddr: q.peer,
	}
}

// target joins path and query, and reports whether the two agree. Envoy has the query in the path and leaves the query
// field empty; other clients fill in both.
func target(path, query string) (target string, agree bool) {
	if query == "" {
		return path, true
	}
	_, inPath, found := strings.Cut(path, "?")
	if !found {
		return path + "?" + query, true
	}
	return path, inPath == query
}

func (q *checkRequest) httpHeader() http.Header {
	header := make(http.Header, len(relevantHeaders))
	for i, name := range relevantHeaders {
		if values := q.headers[i].values(); len(values) > 0 {
			header[name.canonical] = values
		}
	}
	q.addOthers(header)
	return header
}

// Field numbers in envoy.service.auth.v3 and envoy.config.core.v3.
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

// parse reads a CheckRequest. Repeated fields follow protobuf: the last value counts, and parts of a message add up.
func (q *checkRequest) parse(message []byte) error {
	return fields(message, func(number protowire.Number, attributes []byte) error {
		if number != checkRequestAttributes {
			return nil
		}
		return fields(attributes, q.attribute)
	})
}

func (q *checkRequest) attribute(number protowire.Number, content []byte) error {
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

// address reads a oneof: the last field counts.
func (q *checkRequest) address(number protowire.Number, content []byte) error {
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

func (q *checkRequest) request(number protowire.Number, content []byte) error {
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

// header reads an entry of the headers map. Envoy writes names in lower case there.
func (q *checkRequest) header(entry []byte) error {
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
	if known := gate.LookUpHeader(name); known != nil {
		q.setJoined(known, name, value)
	} else if q.parent != nil {
		q.parent.read(name, value)
	}
	return err
}

func (q *checkRequest) setJoined(known *gate.KnownHeader, name, value []byte) {
	i := headerIndex(known)
	switch {
	case i >= 0 && relevantHeaders[i].envoy == string(name):
		q.headers[i].joined[0], q.headers[i].found = string(value), true
	case !isHarmless(known, name):
		q.note(otherHeader{known: known, name: string(name), value: string(value)})
	}
}

// rawHeader reads an entry of header_map. Only one of text and raw should be set; if both are, both count.
func (q *checkRequest) rawHeader(header []byte) error {
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
	if known := gate.LookUpHeader(name); known != nil {
		q.addRaw(known, name, text, raw)
	} else if q.parent != nil {
		q.parent.read(name, append(text, raw...))
	}
	return err
}

func (q *checkRequest) addRaw(known *gate.KnownHeader, name, text, raw []byte) {
	if i := headerIndex(known); i >= 0 && strings.EqualFold(relevantHeaders[i].envoy, string(name)) {
		q.headers[i].add(text, raw)
		return
	}
	if isHarmless(known, name) {
		return
	}
	var values headerValues
	values.add(text, raw)
	for _, value := range values.raw {
		q.note(otherHeader{known: known, name: string(name), value: value, isRaw: true})
	}
}

func (v *headerValues) add(text, raw []byte) {
	if len(text) > 0 || len(raw) == 0 {
		v.raw = append(v.raw, string(text))
	}
	if len(raw) > 0 {
		v.raw = append(v.raw, string(raw))
	}
}

// within visits each field with that number.
func within(message []byte, number protowire.Number, visit func(content []byte) error) error {
	return fields(message, func(n protowire.Number, content []byte) error {
		if n != number {
			return nil
		}
		return visit(content)
	})
}

// fields visits the texts, bytes and messages in a message and skips all other types. Callers must not keep content.
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
