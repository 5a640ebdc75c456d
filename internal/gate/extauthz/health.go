package extauthz

import (
	"context"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// health is grpc.health.v1.Health, as Envoy's health checks and the kubelet's probes ask it. To watch it is not
// offered: clients who would take that for healthy.
type health struct {
	healthv1.UnimplementedHealthServer
	ready func() error
}

// Check says SERVING while requests are decided on. What keeps them from that is for /readyz to say.
func (h health) Check(_ context.Context, r *healthv1.HealthCheckRequest) (*healthv1.HealthCheckResponse, error) {
	switch r.GetService() {
	case "", authv3.Authorization_ServiceDesc.ServiceName:
		return &healthv1.HealthCheckResponse{Status: h.state()}, nil
	}
	return nil, status.Error(codes.NotFound, "there is no such service")
}

func (h health) state() healthv1.HealthCheckResponse_ServingStatus {
	if h.ready() != nil {
		return healthv1.HealthCheckResponse_NOT_SERVING
	}
	return healthv1.HealthCheckResponse_SERVING
}
