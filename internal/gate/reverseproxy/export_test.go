package reverseproxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// SetDial is how the app is reached in a test.
func (p *Proxy) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	p.forward.Transport.(*http.Transport).DialContext = dial
}

// SetRoots is whom the app's certificate may be from in a test.
func (p *Proxy) SetRoots(roots *x509.CertPool) {
	p.forward.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}

// SetHandshakeTimeout is how long the app may take in a test until TLS is spoken.
func (p *Proxy) SetHandshakeTimeout(d time.Duration) {
	p.forward.Transport.(*http.Transport).TLSHandshakeTimeout = d
}
