package otlp

import (
	"encoding/json"
	"net/http"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/manage/usage/genai"
)

// retryAfter is how many seconds a client waits before it sends a request again.
const retryAfter = "1"

// statusCodes are the codes of google.rpc.Status, by HTTP status.
var statusCodes = map[int]codes.Code{
	http.StatusBadRequest:            codes.InvalidArgument,
	http.StatusUnauthorized:          codes.Unauthenticated,
	http.StatusForbidden:             codes.PermissionDenied,
	http.StatusNotFound:              codes.NotFound,
	http.StatusMethodNotAllowed:      codes.Unimplemented,
	http.StatusRequestEntityTooLarge: codes.InvalidArgument,
	http.StatusUnsupportedMediaType:  codes.InvalidArgument,
	http.StatusTooManyRequests:       codes.ResourceExhausted,
	http.StatusServiceUnavailable:    codes.Unavailable,
}

// refuse replies with a google.rpc.Status, in the format of the request, or in JSON if the format is not known.
func refuse(w http.ResponseWriter, r *http.Request, httpStatus int, text string) {
	code, known := statusCodes[httpStatus]
	if !known {
		code = codes.Internal
	}
	if httpStatus == http.StatusTooManyRequests || httpStatus == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	f, err := formatOf(r)
	if err != nil {
		f = formatJSON
	}
	write(w, f, httpStatus, f.status(code, text))
}

// succeed replies that all spans were taken, or how many were rejected. Spans that are not AI calls are taken.
func succeed(w http.ResponseWriter, r *http.Request, rejected *genai.Rejected) {
	f, _ := formatOf(r)
	if rejected.Spans == 0 {
		// The message without fields.
		write(w, f, http.StatusOK, map[format][]byte{formatJSON: []byte("{}")}[f])
		return
	}
	reply := ptraceotlp.NewExportResponse()
	reply.PartialSuccess().SetRejectedSpans(rejected.Spans)
	reply.PartialSuccess().SetErrorMessage(rejected.String())
	body, err := f.response(reply)
	if err != nil {
		refuse(w, r, http.StatusInternalServerError, "The reply can't be written")
		return
	}
	write(w, f, http.StatusOK, body)
}

func write(w http.ResponseWriter, f format, httpStatus int, body []byte) {
	w.Header().Set("Content-Type", string(f))
	w.WriteHeader(httpStatus)
	_, _ = w.Write(body)
}

func (f format) response(reply ptraceotlp.ExportResponse) ([]byte, error) {
	if f == formatProtobuf {
		return reply.MarshalProto()
	}
	return reply.MarshalJSON()
}

func (f format) status(code codes.Code, text string) (body []byte) {
	// Neither can fail: a text and a number.
	if f == formatProtobuf {
		body, _ = proto.Marshal(&status.Status{Code: int32(code), Message: text})
		return body
	}
	body, _ = json.Marshal(struct {
		Code    codes.Code `json:"code"`
		Message string     `json:"message"`
	}{code, text})
	return body
}
