package otlp

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxObjects bounds the spans, attributes and other objects of a request. Decoded, an object without content takes
// about 250 bytes.
const maxObjects = 250_000

// maxDepth bounds how deep messages contain each other. The decoder has a lower bound of its own.
const maxDepth = 200

var errDeep = errors.New("the messages are nested too deep")

// message lists the fields of a message that are messages, by number.
type message map[protowire.Number]message

// exportRequest is ExportTraceServiceRequest of the OpenTelemetry protocol.
var exportRequest = func() message {
	value, array, list, pair := message{}, message{}, message{}, message{}
	value[5], value[6] = array, list
	array[1], list[1], pair[2] = value, pair, value
	event, link, status := message{3: pair}, message{4: pair}, message{}
	span := message{9: pair, 11: event, 13: link, 15: status}
	scope := message{3: pair}
	resource := message{1: pair, 3: message{}}
	spansOfScope := message{1: scope, 2: span}
	// 1000 is the old name of the field 2.
	return message{1: message{1: resource, 2: spansOfScope, 1000: spansOfScope}}
}()

// countMessages returns how many messages a request has. It stops above maxObjects.
func countMessages(body []byte) (int, error) {
	count := 0
	err := exportRequest.count(body, &count, maxDepth)
	return count, err
}

func (m message) count(body []byte, count *int, depth int) error {
	if depth == 0 {
		return errDeep
	}
	for len(body) > 0 && *count <= maxObjects {
		number, kind, size := protowire.ConsumeTag(body)
		if size < 0 {
			return protowire.ParseError(size)
		}
		body = body[size:]
		size = protowire.ConsumeFieldValue(number, kind, body)
		if size < 0 {
			return protowire.ParseError(size)
		}
		if inner, is := m[number]; is && kind == protowire.BytesType {
			*count++
			content, _ := protowire.ConsumeBytes(body)
			if err := inner.count(content, count, depth-1); err != nil {
				return err
			}
		}
		body = body[size:]
	}
	return nil
}

// countObjects returns how many objects a JSON document has, with nulls, which the decoder takes for empty objects.
func countObjects(document []byte) (count int) {
	inString, escaped := false, false
	for _, c := range document {
		switch {
		case escaped:
			escaped = false
		case inString:
			escaped, inString = c == '\\', c != '"'
		case c == '"':
			inString = true
		case c == '{', c == 'n':
			count++
		}
	}
	return count
}
