package otlp

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"keywright.dev/keywright/internal/httpapi"
)

// format is the media type of a request and of its reply.
type format string

const (
	formatProtobuf format = "application/x-protobuf"
	formatJSON     format = "application/json"
)

func malformed(text string) error {
	return &httpapi.BodyError{Status: http.StatusBadRequest, Text: text}
}

var (
	errMedia = &httpapi.BodyError{
		Status: http.StatusUnsupportedMediaType,
		Text:   "The Content-Type must be " + string(formatProtobuf) + " or " + string(formatJSON),
	}
	errTooMany = &httpapi.BodyError{
		Status: http.StatusRequestEntityTooLarge,
		Text: fmt.Sprintf(
			"The body has more than %d spans, attributes and other objects: send fewer spans at once", maxObjects),
	}
)

func formatOf(r *http.Request) (format, error) {
	types := r.Header["Content-Type"]
	if len(types) == 1 {
		switch media, _, err := mime.ParseMediaType(types[0]); {
		case err != nil:
		case media == string(formatProtobuf):
			return formatProtobuf, nil
		case media == string(formatJSON):
			return formatJSON, nil
		}
	}
	return "", errMedia
}

// decode returns the spans of a body. It counts the objects first: decoded, each takes many times its bytes.
func (f format) decode(body []byte) (ptrace.Traces, error) {
	request := ptraceotlp.NewExportRequest()
	if f == formatProtobuf {
		count, err := countMessages(body)
		switch {
		case err != nil:
			return ptrace.Traces{}, malformed("The body is not an ExportTraceServiceRequest in protobuf")
		case count > maxObjects:
			return ptrace.Traces{}, errTooMany
		}
		if request.UnmarshalProto(body) != nil {
			return ptrace.Traces{}, malformed("The body is not an ExportTraceServiceRequest in protobuf")
		}
		return request.Traces(), nil
	}
	switch {
	case !json.Valid(body):
		return ptrace.Traces{}, malformed("The body is not JSON")
	case countObjects(body) > maxObjects:
		return ptrace.Traces{}, errTooMany
	case request.UnmarshalJSON(body) != nil:
		return ptrace.Traces{}, malformed("The body is not an ExportTraceServiceRequest in JSON")
	}
	return request.Traces(), nil
}
