package extauthz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"keywright.dev/keywright/internal/gate"
)

// refusals holds the response for each of gate.Refusals, marshalled once.
var refusals = func() map[*gate.Refusal]checkResponse {
	all := map[*gate.Refusal]checkResponse{}
	for _, refusal := range gate.Refusals() {
		all[refusal] = marshalRefusal(refusal)
	}
	return all
}()

func refuse(refusal *gate.Refusal) checkResponse {
	if marshalled := refusals[refusal]; marshalled != nil {
		return marshalled
	}
	return marshalRefusal(refusal)
}

var (
	// unreadable refuses a check without an HTTP request.
	unreadable = func() checkResponse {
		d := gate.Decision{Outcome: gate.Undescribed}
		return refuse(d.Refusal())
	}()
	// internalError refuses a check that ended in a panic.
	internalError = marshalRefusal(&gate.Refusal{
		Status: http.StatusInternalServerError,
		Header: http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}},
		Body:   `{"error":{"code":5000,"what":"internal error"}}` + "\n",
	})
)

// marshalRefusal never uses error_response: Envoy can be configured to let such requests pass.
func marshalRefusal(refusal *gate.Refusal) checkResponse {
	message, err := proto.Marshal(&authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codeOf(refusal.Status)), Message: "refused"},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(refusal.Status)},
			Headers: headerOptions(refusal.Header),
			Body:    refusal.Body,
		}},
	})
	if err != nil {
		panic("marshalling constants failed: " + err.Error())
	}
	return message
}

// headerOptions overwrites a header of Envoy's own reply with the first value and appends the others. The older append
// field must stay unset: up to 1.36, Envoy drops a header that has it from a refusal.
func headerOptions(header http.Header) (all []*corev3.HeaderValueOption) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		action := corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		for _, value := range header[name] {
			all = append(all, &corev3.HeaderValueOption{
				Header: &corev3.HeaderValue{Key: strings.ToLower(name), Value: value}, AppendAction: action,
			})
			action = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
	}
	return all
}

// codeOf returns the gRPC code for an HTTP status. Envoy's TCP filter goes by the code; its HTTP filter goes by
// the HTTP status and logs the code.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusInternalServerError:
		return codes.Internal
	}
	return codes.PermissionDenied
}
