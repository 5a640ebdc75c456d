package gateways

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// ingressNginx is nginx as ingress-nginx configures it for the Ingress of the page. The controller itself cannot run
// here.
func ingressNginx() *gateway {
	return &gateway{
		name: "ingress-nginx", path: find("nginx"), install: installIt,
		url: "https://app.example.com", down: http.StatusInternalServerError, mute: true, noWebsockets: true,
		start: func(ctx context.Context) string {
			listen := freeAddress()
			startNginx(ctx, GinkgoT().TempDir(), listen, ingressConfig(listen))
			return listen
		},
	}
}

// ingressConfig returns what version 1.15 of the controller writes for the annotations.
func ingressConfig(listen string) string {
	GinkgoHelper()
	ingress, headers := ingressOnPage()
	annotation := func(name string) string { return ingress.Annotations["nginx.ingress.kubernetes.io/"+name] }
	Expect(ingress.Annotations).To(HaveLen(4))
	Expect(annotation("auth-proxy-set-headers")).To(Equal(headers.Namespace + "/" + headers.Name))
	return fmt.Sprintf(`
		server {
			listen %s ssl;
			ssl_certificate %s;
			ssl_certificate_key %s;
			location = /_external-auth {
				internal;
				proxy_pass_request_body off;
				proxy_set_header Content-Length "";
				proxy_set_header X-Forwarded-Proto "";
				proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
				proxy_set_header X-Original-Method $request_method;
				proxy_set_header X-Sent-From "nginx-ingress-controller";
				proxy_set_header X-Real-IP $remote_addr;
				proxy_set_header X-Forwarded-For $remote_addr;
				proxy_set_header X-Auth-Request-Redirect $request_uri;
				%s
				proxy_pass %s;
			}
			location / {
				auth_request /_external-auth;
				%s
				proxy_http_version 1.1;
				proxy_set_header Host $host;
				proxy_set_header Upgrade $http_upgrade;
				proxy_set_header Connection %s;
				proxy_pass %s;
			}
		}`, listen, certificates.certificate, certificates.key,
		setHeaders(headers.Data), annotation("auth-url"), responseHeaders(annotation("auth-response-headers")),
		annotation("connection-proxy-header"), behind.url)
}

func ingressOnPage() (ingress networkingv1.Ingress, headers corev1.ConfigMap) {
	GinkgoHelper()
	parts := strings.Split(page.with("ingress.yaml", map[string]string{
		"keywright-server.keywright-system.svc.cluster.local": serverAddress(),
	}), "---\n")
	Expect(parts).To(HaveLen(2))
	Expect(yaml.UnmarshalStrict([]byte(parts[0]), &ingress)).To(Succeed())
	Expect(yaml.UnmarshalStrict([]byte(parts[1]), &headers)).To(Succeed())
	return ingress, headers
}

func setHeaders(values map[string]string) string {
	var lines strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&lines, "proxy_set_header %q %q;\n", name, values[name])
	}
	return lines.String()
}

func responseHeaders(list string) string {
	var lines strings.Builder
	for i, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		variable := strings.ReplaceAll(strings.ToLower(name), "-", "_")
		fmt.Fprintf(&lines, "auth_request_set $authHeader%d $upstream_http_%s;\nproxy_set_header '%s' $authHeader%d;\n", i,
			variable, name, i)
	}
	return lines.String()
}
