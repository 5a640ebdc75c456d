// Pins the modules with the CRDs that the manifests of docs/gateways.md, config/monitoring and the chart are checked
// against. Nothing of them is compiled, so `go mod tidy` would drop them.
module keywright.dev/keywright/hack/gatewaycrds

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/envoyproxy/gateway v1.9.1
	github.com/projectcontour/contour v1.33.8
	github.com/prometheus-operator/prometheus-operator v0.85.0
	github.com/traefik/traefik/v3 v3.7.13
)
