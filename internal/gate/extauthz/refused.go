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

// refusals are the replies to all there are, made once.
var refusals = func() map[*gate.Refusal]reply {
	all := map[*gate.Refusal]reply{}
	for outcome := range gate.Stale + 1 {
		for _, presented := range []bool{false, true} {
			d := gate.Decision{Outcome: outcome, Presented: presented}
			if refusal := d.Refusal(); refusal != nil {
				all[refusal] = newReply(refusal)
			}
		}
	}
	return all
}()

func refuse(refusal *gate.Refusal) reply {
	if made := refusals[refusal]; made != nil {
		return made
	}
	return newReply(refusal)
}

var (
	// unreadable is for a question about no HTTP request: there is nobody to be known by anything.
	unreadable = func() reply {
		d := gate.Decision{Outcome: gate.Ambiguous}
		return refuse(d.Refusal())
	}()
	// broken is for a mistake of ours. It refuses like any other reply.
	broken = newReply(&gate.Refusal{
		Status: http.StatusInternalServerError,
		Header: http.Header{"Cache-Control": {"no-store"}, "Content-Type": {"application/json"}},
		Body:   `{"error":{"code":5000,"what":"internal error"}}` + "\n",
	})
)

// newReply says over Envoy what a refusal says. It never says that it is an error (error_response): Envoy could be
// configured to let those pass.
func newReply(refusal *gate.Refusal) reply {
	message, err := proto.Marshal(&authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codeOf(refusal.Status)), Message: "refused"},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(refusal.Status)},
			Headers: options(refusal.Header),
			Body:    refusal.Body,
		}},
	})
	if err != nil {
		panic("constants can't fail to be marshalled: " + err.Error())
	}
	return message
}

// options overwrite what Envoy's own reply has of a header by the first value, and add the others. The older field for
// the same, append, has to stay away: up to 1.36 Envoy drops a header that has it from a refusal.
func options(header http.Header) (all []*corev3.HeaderValueOption) {
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

// codeOf is what the TCP filter goes by, and logs. The HTTP filter goes by the HTTP status.
func codeOf(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusInternalServerError:
		return codes.Internal
	}
	return codes.PermissionDenied
}
