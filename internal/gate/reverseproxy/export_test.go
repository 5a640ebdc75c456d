package reverseproxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// SetDial sets how tests connect to the app.
func (p *Proxy) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	p.forward.Transport.(*http.Transport).DialContext = dial
}

// SetRoots sets the roots that tests trust.
func (p *Proxy) SetRoots(roots *x509.CertPool) {
	p.forward.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}

// SetHandshakeTimeout bounds the TLS handshake in tests.
func (p *Proxy) SetHandshakeTimeout(d time.Duration) {
	p.forward.Transport.(*http.Transport).TLSHandshakeTimeout = d
}
