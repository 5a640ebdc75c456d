package keylogs

import (
	"context"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"keywright.dev/keywright/internal/gate"
)

// inCheck sends a key in every part of a check over gRPC.
func inCheck(ctx context.Context, r target, key string) {
	GinkgoHelper()
	connection, err := grpc.NewClient(r.extAuthz, grpc.WithTransportCredentials(insecure.NewCredentials()))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = connection.Close() }()
	envoy := authv3.NewAuthorizationClient(connection)
	check := func(request *authv3.AttributeContext_HttpRequest) {
		_, err := envoy.Check(ctx, &authv3.CheckRequest{
			Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: request}},
		})
		Expect(err).NotTo(HaveOccurred())
	}
	for _, request := range []*authv3.AttributeContext_HttpRequest{
		{Method: "GET", Path: "/" + key, Host: "h"}, {Method: "GET", Path: "/?a=" + key, Host: "h"},
		{Method: "GET", Path: "/", Query: key, Host: "h"}, {Method: key, Path: "/", Host: "h"},
		{Method: "GET", Path: "/", Host: key}, {Method: "GET", Path: "/", Host: "h", Body: key},
	} {
		check(request)
	}
	for _, known := range gate.KnownHeaders() {
		for _, value := range []string{key, "Bearer " + key, "keywright_user=" + key} {
			check(&authv3.AttributeContext_HttpRequest{
				Method: "GET", Path: "/", Host: "h", Headers: map[string]string{strings.ToLower(known.Name): value},
			})
		}
	}
}
