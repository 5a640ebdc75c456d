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

// gateway is a proxy in front of the app that asks Keywright.
type gateway struct {
	name string
	// path is the path of the program. Empty: it is not installed, and install says how to install it.
	path, install string
	// url is the app's URL as clients see it, with the host of the page.
	url string
	// start starts the gateway and returns its address.
	start func(ctx context.Context) (listen string)
	// down is the status while Keywright cannot be reached. 0: no reply.
	down int
	// mute is true if the client of a refused request gets the status only.
	mute bool
	// takesLoadBalancer is true if it accepts the address that the load balancer in front of it reports.
	takesLoadBalancer bool
	// noWebsockets is true if it does not pass websockets on.
	noWebsockets bool

	listen string
	client *http.Client
}

func (g *gateway) open(ctx context.Context) {
	GinkgoHelper()
	g.listen = g.start(ctx)
	g.client = clientOf(g.listen, nil)
	DeferCleanup(g.client.CloseIdleConnections)
}

// clientAt returns the gateway as a client at another address sees it.
func (g *gateway) clientAt(address string) *gateway {
	elsewhere := *g
	elsewhere.client = clientOf(g.listen, &net.TCPAddr{IP: net.ParseIP(address)})
	DeferCleanup(elsewhere.client.CloseIdleConnections)
	return &elsewhere
}

// clientOf returns a client that connects to one address for every host, from an address unless that is nil.
func clientOf(listen string, from net.Addr) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{LocalAddr: from}).DialContext(ctx, network, listen)
			},
			TLSClientConfig: &tls.Config{RootCAs: certificates.pool, MinVersion: tls.VersionTLS12},
		},
	}
}

// connect opens a raw connection to the app.
func (g *gateway) connect(ctx context.Context) net.Conn {
	GinkgoHelper()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", g.listen)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(connection.Close)
	if strings.HasPrefix(g.url, "https:") {
		return tls.Client(connection,
			&tls.Config{RootCAs: certificates.pool, ServerName: hosts[0], MinVersion: tls.VersionTLS12})
	}
	return connection
}

// serverAddress returns Keywright's host and port.
func serverAddress() string { return strings.TrimPrefix(s.ServerURL, "http://") }
