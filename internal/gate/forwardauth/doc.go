// Package forwardauth serves /auth, where gateways ask over HTTP whether a request may pass and who its caller is.
// nginx, Traefik, Caddy and ingress-nginx each describe that request in their own headers. Package gate decides.
package forwardauth
