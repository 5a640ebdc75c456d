// Package forwardauth answers gateways over HTTP: /auth says whether the request that they ask about may pass, and who
// sent it. nginx, Traefik, Caddy and ingress-nginx each have their own way to tell which request that is. What may pass
// is for package gate to decide.
package forwardauth
