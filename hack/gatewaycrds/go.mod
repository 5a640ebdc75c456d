// The definitions that manifests of docs/gateways.md are checked against. Nothing of these modules is compiled, so this
// file is not what `go mod tidy` would make of it.
module keywright.dev/keywright/hack/gatewaycrds

go 1.26.0

require (
	github.com/envoyproxy/gateway v1.9.1
	github.com/traefik/traefik/v3 v3.7.13
)
