package gateways

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// gateway is something in front of the app that asks Keywright.
type gateway struct {
	name string
	// path is that of the program. Empty: it is not installed, and install says how it would be.
	path, install string
	// url is that of the app as clients know it; the host is the one on the page.
	url string
	// start returns the address that it listens on.
	start func(ctx context.Context) (listen string)
	// down is the status while Keywright can't be reached. 0: no answer.
	down int
	// mute: the client of a refused request is told the status and no more.
	mute bool
	// noWebsockets: it lets none through.
	noWebsockets bool

	listen string
	client *http.Client
}

func (g *gateway) open(ctx context.Context) {
	GinkgoHelper()
	g.listen = g.start(ctx)
	g.client = clientOf(g.listen)
	DeferCleanup(g.client.CloseIdleConnections)
}

// clientOf connects to one address, whatever the host is called.
func clientOf(listen string) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, listen)
			},
			TLSClientConfig: &tls.Config{RootCAs: certificates.pool, MinVersion: tls.VersionTLS12},
		},
	}
}

// connect opens a connection to the app as a client does that speaks its own protocol on it.
func (g *gateway) connect(ctx context.Context) net.Conn {
	GinkgoHelper()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", g.listen)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(connection.Close)
	if strings.HasPrefix(g.url, "https:") {
		return tls.Client(connection, &tls.Config{RootCAs: certificates.pool, ServerName: hosts[0], MinVersion: tls.VersionTLS12})
	}
	return connection
}

// serverAddress is where Keywright listens: host and port.
func serverAddress() string { return strings.TrimPrefix(s.ServerURL, "http://") }
