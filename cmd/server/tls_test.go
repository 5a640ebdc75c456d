package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"keywright.dev/keywright/internal/gate/reverseproxy"
	"keywright.dev/keywright/test/certs"
	"keywright.dev/keywright/test/kit"
)

const tlsHost = "keywright.test"

// tlsEnv is a server that is not connected to anything, with all of its listeners open.
type tlsEnv struct {
	*service
	authority, clients *certs.Authority
	pair               certs.Pair
	mount              certs.Mount
	// addresses are those of the listeners, by flag.
	addresses map[string]string
	log       *kit.Log
}

func newTLSEnv(t *testing.T, mutual bool) *tlsEnv {
	t.Helper()
	e := &tlsEnv{authority: certs.New(t), clients: certs.New(t), log: &kit.Log{}, addresses: map[string]string{}}
	e.pair = e.authority.Lasting(t, tlsHost)
	e.mount = certs.Mounted(t, e.pair.Files())
	ca := certs.Mounted(t, map[string][]byte{"ca.crt": e.clients.PEM})
	upstream, err := reverseproxy.ParseUpstream("http://" + closedPort(t))
	if err != nil {
		t.Fatal(err)
	}
	const anywhere = "127.0.0.1:0"
	o := &options{
		listen: anywhere, metricsListen: anywhere, extAuthzListen: anywhere, proxyListen: anywhere, upstream: upstream,
		certFile: e.mount.File("tls.crt"), keyFile: e.mount.File("tls.key"),
	}
	if mutual {
		o.clientCAFile = ca.File("ca.crt")
	}
	log := slog.New(slog.NewTextHandler(e.log, nil))
	e.service = newUnstarted(t)
	if err := e.openCertificates(o, log); err != nil {
		t.Fatal(err)
	}
	e.serve(t, o, log)
	return e
}

func (e *tlsEnv) serve(t *testing.T, o *options, log *slog.Logger) {
	t.Helper()
	specs, err := e.listeners(o, log)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := open(t.Context(), specs)
	if err != nil {
		t.Fatal(err)
	}
	for i, spec := range specs {
		e.addresses[spec.flag] = opened[i].Addr().String()
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- opened.serve(ctx, e.ready, time.Minute) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (e *tlsEnv) clientTLS(own *certs.Pair) *tls.Config {
	c := &tls.Config{RootCAs: e.authority.Pool, ServerName: tlsHost, MinVersion: tls.VersionTLS12}
	if own != nil {
		c.Certificates = []tls.Certificate{own.TLS}
	}
	return c
}

// ask sends a request to a listener and returns the status, the protocol and the body.
func (e *tlsEnv) ask(t *testing.T, url string, own *certs.Pair) (code int, protocol, body string) {
	t.Helper()
	code, protocol, body, err := fetch(e.clientTLS(own), url)
	if err != nil {
		t.Fatal(err)
	}
	return code, protocol, body
}

func fetch(config *tls.Config, url string) (code int, protocol, body string, err error) {
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	reply, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return 0, "", "", err
	}
	content, err := io.ReadAll(reply.Body)
	return reply.StatusCode, reply.Proto, string(content), errors.Join(err, reply.Body.Close())
}

// The gate has not seen any object, so what passes the certificate is answered with 503.
func TestClientCertificate_IsForGateways(t *testing.T) {
	plain, mutual := newTLSEnv(t, false), newTLSEnv(t, true)
	own := mutual.clients.Lasting(t)
	for _, c := range []struct {
		flag, path    string
		without, with int
	}{
		{"--listen", "/auth", http.StatusForbidden, http.StatusServiceUnavailable},
		{"--listen", "/auth?x", http.StatusForbidden, http.StatusServiceUnavailable},
		{"--listen", "/authz/x", http.StatusForbidden, http.StatusServiceUnavailable},
		{"--listen", "/introspect", http.StatusForbidden, http.StatusServiceUnavailable},
		{"--listen", "/healthz", http.StatusOK, http.StatusOK},
		{"--listen", "/readyz", http.StatusServiceUnavailable, http.StatusServiceUnavailable},
		{"--listen", "/api/auth/me", http.StatusServiceUnavailable, http.StatusServiceUnavailable},
		{"--listen", "/openapi.yaml", http.StatusOK, http.StatusOK},
		{"--proxy-listen", "/", http.StatusServiceUnavailable, http.StatusServiceUnavailable},
	} {
		for certificate, want := range map[*certs.Pair]int{nil: c.without, &own: c.with} {
			got, protocol, body := mutual.ask(t, "https://"+mutual.addresses[c.flag]+c.path, certificate)
			if got != want || protocol != "HTTP/2.0" {
				t.Errorf("%s %s, certificate: %t: %d by %s, want %d: %s",
					c.flag, c.path, certificate != nil, got, protocol, want, body)
			}
			if says := strings.Contains(body, "client certificate"); says != (want == http.StatusForbidden) {
				t.Errorf("%s %s: %s", c.flag, c.path, body)
			}
		}
		if got, _, _ := plain.ask(t, "https://"+plain.addresses[c.flag]+c.path, nil); got != c.with {
			t.Errorf("%s %s without --client-ca-file: %d, want %d", c.flag, c.path, got, c.with)
		}
	}
	if lines := mutual.log.Lines("without a client certificate"); len(lines) != 4 {
		t.Errorf("%q", lines)
	}
	metrics := "http://" + mutual.addresses["--metrics-listen"] + "/metrics"
	if got, _, _ := mutual.ask(t, metrics, nil); got != http.StatusOK {
		t.Errorf("/metrics: %d", got)
	}
}

func TestExtAuthz_OverTLS(t *testing.T) {
	plain, mutual := newTLSEnv(t, false), newTLSEnv(t, true)
	own, foreign := mutual.clients.Lasting(t), certs.New(t).Lasting(t)
	for name, c := range map[string]struct {
		env  *tlsEnv
		own  *certs.Pair
		want codes.Code
	}{
		"without --client-ca-file":           {plain, nil, codes.OK},
		"no certificate":                     {mutual, nil, codes.Unavailable},
		"a certificate of another authority": {mutual, &foreign, codes.Unavailable},
		"a certificate":                      {mutual, &own, codes.OK},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := grpc.NewClient(c.env.addresses["--ext-authz-listen"],
				grpc.WithTransportCredentials(credentials.NewTLS(c.env.clientTLS(c.own))))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = connection.Close() }()
			_, err = authv3.NewAuthorizationClient(connection).Check(t.Context(), &authv3.CheckRequest{})
			if status.Code(err) != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestTLS_IsTheOnlyWayIn(t *testing.T) {
	e := newTLSEnv(t, false)
	for _, flag := range []string{"--listen", "--proxy-listen"} {
		reply, err := http.Get("http://" + e.addresses[flag] + "/auth")
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusBadRequest {
			t.Errorf("%s without TLS: %s", flag, reply.Status)
		}
	}
}

func TestCertificate_IsInMetricsAndReadyz(t *testing.T) {
	e := newTLSEnv(t, false)
	report := func(line, metric string) {
		t.Helper()
		_, _, ready := e.ask(t, "https://"+e.addresses["--listen"]+"/readyz?verbose", nil)
		if !strings.Contains(ready, "[+] certificate: ok, "+line) {
			t.Errorf("/readyz has no line %s:\n%s", line, ready)
		}
		_, _, metrics := e.ask(t, "http://"+e.addresses["--metrics-listen"]+"/metrics", nil)
		if !strings.Contains(metrics, "\n"+metric+"\n") {
			t.Errorf("metric %s is missing", metric)
		}
	}
	end := e.pair.TLS.Leaf.NotAfter.UTC().Format(time.RFC3339)
	report("until "+end+"\n", "keywright_tls_refused 0")
	e.mount.Replace(t, map[string][]byte{"tls.crt": e.pair.Certificate, "tls.key": nil})
	e.certificates.Check()
	report("until "+end+", but changed files can't be used: "+e.mount.File("tls.key")+" is empty\n",
		"keywright_tls_refused 1")
	e.mount.Replace(t, e.authority.Issue(t, time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), tlsHost).Files())
	e.certificates.Check()
	note := certificateCheck(e.certificates).note()
	if note != ", but it ended at 2020-01-02T03:04:05Z" || e.certificates.Refused() != nil {
		t.Errorf("%s, %v", note, e.certificates.Refused())
	}
}

// HTTP/2 connections end with the requests that are in progress.
func TestServe_StopsGracefullyOverTLS(t *testing.T) {
	authority := certs.New(t)
	pair := authority.Lasting(t, tlsHost)
	begun, release := make(chan struct{}), make(chan struct{})
	plain := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		_, _ = io.WriteString(w, r.Proto)
	}), slog.New(slog.DiscardHandler))
	listening, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair.TLS}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12,
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- listeners{{listening, over(config, plain)}}.serve(ctx, &readiness{}, time.Minute)
	}()
	answered := make(chan string, 1)
	go func() {
		client := &tls.Config{RootCAs: authority.Pool, ServerName: tlsHost, MinVersion: tls.VersionTLS12}
		_, _, body, err := fetch(client, "https://"+listening.Addr().String())
		answered <- fmt.Sprint(body, err)
	}()
	<-begun
	cancel()
	close(release)
	if body := <-answered; body != "HTTP/2.0<nil>" {
		t.Errorf("the reply is %q", body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
