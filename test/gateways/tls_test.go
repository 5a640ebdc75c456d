package gateways

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"keywright.dev/keywright/test/certs"
	"keywright.dev/keywright/test/stack"
)

const keywrightName = "keywright-server.keywright-system.svc"

// tlsServer is a replica that serves TLS, and requires client certificates of gateways.
type tlsServer struct {
	stack.Replica
	authority *certs.Authority
	mount     certs.Mount
	// gateways has ca.crt, tls.crt and tls.key for gateways.
	gateways certs.Mount
	gateway  certs.Pair
	proxy    string
}

func startTLS(ctx context.Context) *tlsServer {
	GinkgoHelper()
	t, clients := GinkgoTB(), certs.New(GinkgoTB())
	server := &tlsServer{authority: certs.New(t), proxy: freeAddress()}
	server.mount = certs.Mounted(t, server.authority.Lasting(t, keywrightName).Files())
	server.gateway = clients.Lasting(t)
	own := server.gateway.Files()
	own["ca.crt"] = server.authority.PEM
	server.gateways = certs.Mounted(t, own)
	ca := certs.Mounted(t, map[string][]byte{"ca.crt": clients.PEM})
	var err error
	server.Replica, err = s.AddServer(ctx, "--tls-cert-file="+server.mount.File("tls.crt"),
		"--tls-key-file="+server.mount.File("tls.key"), "--client-ca-file="+ca.File("ca.crt"),
		"--proxy-listen="+server.proxy)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(server.Stop)
	return server
}

// client returns a client that checks the certificate, and presents that of the gateway on request.
func (server *tlsServer) client(asGateway bool) *http.Client {
	config := &tls.Config{RootCAs: server.authority.Pool, ServerName: keywrightName, MinVersion: tls.VersionTLS12}
	if asGateway {
		config.Certificates = []tls.Certificate{server.gateway.TLS}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	return &http.Client{Transport: transport}
}

// do sends a request, and returns the reply and its body.
func (server *tlsServer) do(
	ctx context.Context, asGateway bool, method, url, body string, header http.Header,
) (*http.Response, string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	Expect(err).NotTo(HaveOccurred())
	request.Header = header
	reply, err := server.client(asGateway).Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	Expect(err).NotTo(HaveOccurred())
	return reply, string(text)
}

// serial returns that of the certificate that the server presents.
func (server *tlsServer) serial(ctx context.Context) string {
	GinkgoHelper()
	config := &tls.Config{RootCAs: server.authority.Pool, ServerName: keywrightName, MinVersion: tls.VersionTLS12}
	connection, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", server.address())
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = connection.Close() }()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func (server *tlsServer) address() string { return strings.TrimPrefix(server.URL, "https://") }

// nginx, Caddy and Traefik as the page configures them for Keywright over TLS.
func (server *tlsServer) nginx(ctx context.Context) string {
	GinkgoHelper()
	dir, listen := GinkgoT().TempDir(), freeAddress()
	here := func(text string) string {
		for _, name := range []string{"ca.crt", "tls.crt", "tls.key"} {
			text = strings.ReplaceAll(text, "/etc/nginx/keywright/"+name, server.gateways.File(name))
		}
		return hereIn(dir, text)
	}
	const folder = "/etc/nginx/keywright/"
	write(dir, folder+"tls.conf", here(page.with(folder+"tls.conf", nil)))
	write(dir, folder+"ask.conf", here(page.with(folder+"ask.conf", nil)+"include /etc/nginx/keywright/tls.conf;\n"))
	write(dir, folder+"protect.conf", here(page.with(folder+"protect.conf", nil)))
	write(dir, folder+"server.conf", here(page.with(folder+"server.conf", map[string]string{
		"http://keywright": "https://keywright"})))
	upstream := page.with("/etc/nginx/conf.d/keywright.conf", map[string]string{keywrightName + ":80": server.address()})
	startNginx(ctx, dir, listen, upstream+here(page.with("/etc/nginx/conf.d/app.conf", map[string]string{
		"app.default.svc:8080": behind.address(), "listen 443": "listen " + listen,
		"/etc/nginx/tls/tls.crt": certificates.certificate, "/etc/nginx/tls/tls.key": certificates.key,
	})))
	return listen
}

func (server *tlsServer) caddy(ctx context.Context) string {
	GinkgoHelper()
	listen, dir := freeAddress(), GinkgoT().TempDir()
	_, port, _ := strings.Cut(listen, ":")
	const plain = "\t\ttransport http {\n\t\t\tdial_timeout 1s\n\t\t\tresponse_header_timeout 2s\n\t\t}\n"
	_, overTLS, _ := strings.Cut(page["transport-tls"], "\n")
	text := "{\n\tadmin off\n\tauto_https off\n\tdefault_bind 127.0.0.1\n}\n" +
		page.with("/etc/caddy/Caddyfile", map[string]string{
			plain: overTLS, keywrightName + ":80": server.address(), "app.default.svc:8080": behind.address(),
			"app.example.com {": "http://app.example.com:" + port + " {",
		})
	text = strings.ReplaceAll(text, "/etc/caddy/keywright", server.gateways.Dir)
	run(ctx, listen, "env", "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir,
		find("caddy"), "run", "--adapter", "caddyfile", "--config", write(dir, "Caddyfile", text))
	return listen
}

func (server *tlsServer) traefik(ctx context.Context) string {
	GinkgoHelper()
	const address = "        address: http://keywright-server.keywright-system.svc/auth\n"
	_, overTLS, _ := strings.Cut(page["forward-auth-tls.yaml"], "\n")
	indented := "        " + strings.ReplaceAll(strings.TrimSpace(overTLS), "\n", "\n        ") + "\n"
	listen, dir := freeAddress(), GinkgoT().TempDir()
	text := page.with("/etc/traefik/dynamic/app.yaml", map[string]string{
		address: "        address: " + server.URL + "/auth\n" + indented, "app.default.svc:8080": behind.address(),
	})
	write(dir, "dynamic/app.yaml", strings.ReplaceAll(text, "/etc/traefik/keywright", server.gateways.Dir))
	write(dir, "dynamic/certificates.yaml", fmt.Sprintf(
		"tls: {certificates: [{certFile: %q, keyFile: %q}]}", certificates.certificate, certificates.key))
	config := write(dir, "traefik.yaml", fmt.Sprintf(
		"entryPoints: {websecure: {address: %q}}\nproviders: {file: {directory: %q}}\nlog: {level: WARN}\n",
		listen, filepath.Join(dir, "dynamic")))
	run(ctx, listen, builtTraefik(), "--configfile="+config)
	Eventually(ctx, func() error { return handshake(ctx, listen) }).Should(Succeed())
	return listen
}

var _ = Describe("Keywright over TLS", Ordered, ContinueOnFailure, func() {
	var server *tlsServer

	BeforeAll(func(ctx SpecContext) { server = startTLS(ctx) })

	for _, c := range []struct {
		like  *gateway
		start func(*tlsServer, context.Context) string
	}{
		{nginx(), (*tlsServer).nginx}, {caddy(), (*tlsServer).caddy}, {traefik(), (*tlsServer).traefik},
	} {
		if c.like.path == "" {
			without(c.like.name, c.like.install)
			continue
		}
		It("is asked by "+c.like.name+", and loses no request while its certificate is replaced", func(ctx SpecContext) {
			g := *c.like
			g.start = func(ctx context.Context) string { return c.start(server, ctx) }
			g.open(ctx)
			expectIdentity(g.get(ctx, "/a", "alice"), alice)
			g.expectRefused(g.get(ctx, "/a", "unknown"), http.StatusUnauthorized, "invalid token")
			next := server.authority.Lasting(GinkgoTB(), keywrightName)
			server.mount.Replace(GinkgoTB(), next.Files())
			Eventually(ctx, func(g2 Gomega) string {
				g2.Expect(g.get(ctx, "/a", "alice").status).To(Equal(http.StatusOK))
				return server.serial(ctx)
			}).Should(Equal(next.Serial))
			Expect(g.get(ctx, "/a", "alice").status).To(Equal(http.StatusOK))
		})
	}

	It("needs a client certificate at /auth, and none for people", func(ctx SpecContext) {
		key := bearer(keys.get("alice"))
		for path, want := range map[string]int{
			"/auth": http.StatusForbidden, "/introspect": http.StatusForbidden,
			"/readyz": http.StatusOK, "/api/auth/me": http.StatusOK,
		} {
			reply, body := server.do(ctx, false, http.MethodGet, server.URL+path, "", key)
			Expect(reply.StatusCode).To(Equal(want), path+" "+body)
		}
		key.Set("X-Forwarded-Method", http.MethodGet)
		key.Set("X-Forwarded-Uri", "/a")
		key.Set("X-Forwarded-Host", hosts[0])
		reply, _ := server.do(ctx, true, http.MethodGet, server.URL+"/auth", "", key)
		Expect(reply.StatusCode).To(Equal(http.StatusOK))
	})

	It("keeps sessions safe", func(ctx SpecContext) {
		login := func(origin string) (*http.Response, string) {
			return server.do(ctx, false, http.MethodPost, server.URL+"/api/auth/login",
				fmt.Sprintf(`{"username":"alice","api_key":%q}`, keys.get("alice")),
				http.Header{"Content-Type": {"application/json"}, "Origin": {origin}})
		}
		reply, body := login(server.URL)
		Expect(reply.StatusCode).To(Equal(http.StatusOK), body)
		Expect(reply.Cookies()).NotTo(BeEmpty())
		for _, cookie := range reply.Cookies() {
			Expect(cookie.Secure).To(BeTrue(), cookie.Name)
		}
		reply, body = login("https://elsewhere.example.com")
		Expect(reply.StatusCode).To(Equal(http.StatusForbidden), body)
	})

	It("is the proxy of an app without a client certificate", func(ctx SpecContext) {
		reply, body := server.do(ctx, false, http.MethodGet, "https://"+server.proxy+"/a", "", bearer(keys.get("alice")))
		Expect(reply.StatusCode).To(Equal(http.StatusOK), body)
		Expect(reply.ProtoMajor).To(Equal(2))
		reply, _ = server.do(ctx, false, http.MethodGet, "https://"+server.proxy+"/a", "", http.Header{})
		Expect(reply.StatusCode).To(Equal(http.StatusUnauthorized))
	})
})
