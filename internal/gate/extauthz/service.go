package extauthz

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"

	"keywright.dev/keywright/internal/gate"
)

// service is envoy.service.auth.v3.Authorization.
type service struct {
	gate *gate.Gate
	log  *slog.Logger
}

// description is the service's in other terms than the generated one: question and reply, see codec.
var description = grpc.ServiceDesc{
	ServiceName: authv3.Authorization_ServiceDesc.ServiceName,
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: authv3.Authorization_ServiceDesc.Methods[0].MethodName,
		Handler: func(s any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return s.(*service).answer(decode)
		},
	}},
	Metadata: authv3.Authorization_ServiceDesc.Metadata,
}

// answer returns an error only when there is no whole message.
func (s *service) answer(decode func(any) error) (r reply, err error) {
	defer s.survive(&r)
	q := &question{}
	if err := decode(q); err != nil {
		return nil, err
	}
	return s.check(q), nil
}

func (s *service) check(q *question) reply {
	if !q.isHTTP {
		return unreadable
	}
	a := q.asked()
	d := s.gate.Decide(&a)
	if refusal := d.Refusal(); refusal != nil {
		return refuse(refusal)
	}
	return admit(&d, a.Header)
}

// survive refuses after a panic and logs where it was: one request must not end all others.
func (s *service) survive(r *reply) {
	if reason := recover(); reason != nil {
		*r = broken
		s.log.Error("A check ended in a panic", "panic", describe(reason), "stack", string(debug.Stack()))
	}
}

// describe says what a panic was about. Only the runtime's own words are sure to hold nothing of the request.
func describe(reason any) string {
	if fault, ok := reason.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("%T", reason)
}
