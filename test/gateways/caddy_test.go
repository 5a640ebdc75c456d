package gateways

import (
	"context"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
)

func caddy() *gateway {
	return &gateway{
		name: "Caddy", path: find("caddy"), install: installIt,
		url: "http://app.example.com", down: http.StatusBadGateway, takesLoadBalancer: true,
		start: func(ctx context.Context) string {
			listen, dir := freeAddress(), GinkgoT().TempDir()
			_, port, _ := strings.Cut(listen, ":")
			// Without TLS, because Caddy could not get a certificate here.
			text := "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n" +
				page.with("/etc/caddy/Caddyfile", map[string]string{
					"keywright-server.keywright-system.svc:80": serverAddress(),
					"app.default.svc:8080":                     behind.address(),
					"uri /auth":                                "uri /auth\n\t\ttrusted_proxies " + ofLoadBalancer,
					"app.example.com {":                        "http://app.example.com:" + port + " {",
				})
			run(ctx, listen, "env", "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
				find("caddy"), "run", "--adapter", "caddyfile", "--config", write(dir, "Caddyfile", text))
			return listen
		},
	}
}
