package reverseproxy

import (
	"context"
	"net"
	"net/http"
	"time"
)

// SetDial is how the app is reached in a test.
func (p *Proxy) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	p.forward.Transport.(*http.Transport).DialContext = dial
}

// SetHandshakeTimeout is how long the app may take in a test until TLS is spoken.
func (p *Proxy) SetHandshakeTimeout(d time.Duration) {
	p.forward.Transport.(*http.Transport).TLSHandshakeTimeout = d
}
