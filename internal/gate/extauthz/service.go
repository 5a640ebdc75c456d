package extauthz

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/keylog"
)

// service is envoy.service.auth.v3.Authorization.
type service struct {
	gate *gate.Gate
	log  *slog.Logger
}

// description registers the service with checkRequest and checkResponse in place of the generated messages.
//
// With these the server answers 1.6 times as many checks a second as with the generated messages, measured over
// loopback with the clients on the same two cores. And the generated CheckRequest cannot be unmarshalled with text
// that is not UTF-8; the failed call would leave the decision to Envoy's failure mode.
var description = grpc.ServiceDesc{
	ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: authv3.Authorization_ServiceDesc.Methods[0].MethodName,
		Handler: func(s any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return s.(*service).answer(ctx, decode)
		},
	}},
	Metadata: authv3.Authorization_ServiceDesc.Metadata,
}

// answer returns an error only if the message is incomplete.
func (s *service) answer(ctx context.Context, decode func(any) error) (r checkResponse, err error) {
	defer s.recoverPanic(&r)
	q := &checkRequest{}
	if s.gate.Tracer != nil {
		q.parent = &parent{}
	}
	if err := decode(q); err != nil {
		return nil, err
	}
	if q.parent != nil {
		return s.checkTraced(ctx, q), nil
	}
	return s.check(ctx, q), nil
}

func (s *service) check(ctx context.Context, q *checkRequest) checkResponse {
	if !q.isHTTP {
		return unreadable
	}
	request := q.gateRequest()
	d := s.gate.Decide(&request)
	s.gate.Trace(ctx, &d)
	if refusal := d.Refusal(); refusal != nil {
		return refuse(refusal)
	}
	return append(admit(&d, q, request.Header), s.metadata(&d)...)
}

// recoverPanic refuses after a panic and logs its stack, so that one request does not end all others.
func (s *service) recoverPanic(r *checkResponse) {
	if reason := recover(); reason != nil {
		*r = internalError
		s.log.Error("A check ended in a panic", "panic", describe(reason), "stack", keylog.StackHere())
	}
}

// describe returns the text of a runtime error, and only the type of any other: its text may contain parts of the
// request.
func describe(reason any) string {
	if fault, ok := reason.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("%T", reason)
}

// codec reads checkRequest and writes checkResponse. It leaves other messages to protobuf.
type codec struct {
	encoding.CodecV2
}

func newCodec() codec { return codec{encoding.GetCodecV2(proto.Name)} }

// Unmarshal never fails on a checkRequest: an unreadable one becomes empty, which is refused.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	q, ok := v.(*checkRequest)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	if q.parse(buffer.ReadOnlyData()) != nil {
		*q = checkRequest{}
	}
	return nil
}

// Marshal returns a checkResponse as it is.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(checkResponse); ok {
		return mem.BufferSlice{mem.SliceBuffer(r)}, nil
	}
	return c.CodecV2.Marshal(v)
}
