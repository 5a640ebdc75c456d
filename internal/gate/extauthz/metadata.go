package extauthz

import (
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"keywright.dev/keywright/internal/auth/budget"
	"keywright.dev/keywright/internal/gate"
)

// remainders are the entries of the dynamic metadata: what a caller may still use. Each is in the shape that Envoy's
// rate limit filter reads as the limit of a request, which Envoy Gateway calls limit.fromMetadata (docs/gateways.md).
var remainders = []struct {
	name string
	unit budget.Unit
	// divisor converts the unit to the one of the entry.
	divisor int64
}{
	{"keywright_remaining_tokens", budget.Tokens, 1},
	{"keywright_remaining_microdollars", budget.NanoDollars, 1000},
}

// window is the unit of the limit. The rate limiter counts what it sees in a minute, and begins again at zero;
// Keywright has counted it by then. With the period of the budget both would count the same calls, and the limiter
// would refuse after half of them.
const window = "MINUTE"

// checkResponseMetadata is the number of field dynamic_metadata.
const checkResponseMetadata = 4

// metadata returns field dynamic_metadata of a CheckResponse, and nothing for a caller without such a budget: a limit
// of zero would refuse the request.
func (s *service) metadata(d *gate.Decision) []byte {
	var fields map[string]*structpb.Value
	for _, r := range remainders {
		remaining, limited := s.gate.Remaining(d, r.unit)
		if !limited {
			continue
		}
		if fields == nil {
			fields = map[string]*structpb.Value{}
		}
		fields[r.name] = structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			// Envoy reads 32 bits.
			"requests_per_unit": structpb.NewNumberValue(float64(min(max(1, remaining/r.divisor), math.MaxUint32))),
			"unit":              structpb.NewStringValue(window),
		}})
	}
	if fields == nil {
		return nil
	}
	message, err := proto.Marshal(&structpb.Struct{Fields: fields})
	if err != nil {
		panic("marshalling numbers and constants failed: " + err.Error())
	}
	return append(appendLength(nil, checkResponseMetadata, len(message)), message...)
}
