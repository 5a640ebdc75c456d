// Package forwardauth serves /auth and path mode, where gateways ask over HTTP whether a request may pass and who its
// caller is. nginx, Traefik, Caddy and ingress-nginx each describe that request in their own headers, to /auth. Envoy's
// HTTP ext_authz and the Gateway API's ExternalAuth send its method and path with a prefix. Package gate decides.
package forwardauth
