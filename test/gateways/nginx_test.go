package gateways

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
)

const installIt = "hack/packages.sh as root installs it"

func nginx() *gateway {
	return &gateway{
		name: "nginx", path: find("nginx"), install: installIt,
		url: "https://app.example.com", down: http.StatusServiceUnavailable, takesLoadBalancer: true,
		start: func(ctx context.Context) string {
			listen := freeAddress()
			runNginx(ctx, listen, "/etc/nginx/conf.d/app.conf", map[string]string{
				"app.default.svc:8080": behind.address(),
			})
			return listen
		},
	}
}

// around is the nginx.conf of a distribution.
const around = `
daemon off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    %[2]s
}
`

// runNginx runs a block of the page with the shared blocks.
func runNginx(ctx context.Context, listen, name string, addresses map[string]string) {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	for _, name := range []string{"ask", "server", "protect"} {
		file := "/etc/nginx/keywright/" + name + ".conf"
		write(dir, file, hereIn(dir, page.with(file, nil)))
	}
	upstream := page.with("/etc/nginx/conf.d/keywright.conf",
		map[string]string{"keywright-server.keywright-system.svc:80": serverAddress()})
	addresses["listen 443"] = "listen " + listen
	addresses["/etc/nginx/tls/tls.crt"] = certificates.certificate
	addresses["/etc/nginx/tls/tls.key"] = certificates.key
	ahead := page.with("/etc/nginx/conf.d/load-balancer.conf", map[string]string{"192.0.2.0/24": ofLoadBalancer})
	startNginx(ctx, dir, listen, upstream+ahead+hereIn(dir, page.with(name, addresses)))
}

// hereIn replaces the page's folder with another.
func hereIn(dir, text string) string {
	return strings.ReplaceAll(text, "/etc/nginx/keywright", dir+"/etc/nginx/keywright")
}

func startNginx(ctx context.Context, dir, listen, servers string) {
	GinkgoHelper()
	config := write(dir, "nginx.conf", fmt.Sprintf(around, dir, servers))
	run(ctx, listen, find("nginx"), "-e", "stderr", "-p", dir, "-c", config)
}
