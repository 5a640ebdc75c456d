package outage

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"

	"k8s.io/client-go/rest"
)

// proxy is an HTTP proxy before an API server. Each answer is a leg that it can freeze.
type proxy struct {
	*httptest.Server

	mu sync.Mutex
	// legs are the answers under way. Their channels are closed unless they are frozen.
	legs map[*leg]bool
}

// newProxy forwards requests with the credential of a configuration. A client sends none without TLS.
func newProxy(to *rest.Config) (*proxy, error) {
	address, err := url.Parse(to.Host)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(to)
	if err != nil {
		return nil, err
	}
	p := &proxy{legs: map[*leg]bool{}}
	p.Server = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(address) },
		Transport:      transport,
		FlushInterval:  -1,
		ModifyResponse: p.follow,
	})
	return p, nil
}

func (p *proxy) follow(reply *http.Response) error {
	l := &leg{ReadCloser: reply.Body, proxy: p, client: reply.Request.Context(), frozen: make(chan struct{})}
	reply.Body = l
	p.mu.Lock()
	defer p.mu.Unlock()
	p.legs[l] = false
	return nil
}

// freeze stops every answer under way until thaw. New requests are answered.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.legs {
		p.legs[l] = true
	}
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l, isFrozen := range p.legs {
		if isFrozen {
			p.legs[l] = false
			close(l.frozen)
		}
	}
}

// leg is the body of one answer.
type leg struct {
	io.ReadCloser
	proxy  *proxy
	client context.Context
	// frozen is closed when a frozen leg is thawed.
	frozen chan struct{}
}

// Read implements io.Reader.
func (l *leg) Read(into []byte) (int, error) {
	n, err := l.ReadCloser.Read(into)
	l.proxy.mu.Lock()
	isFrozen := l.proxy.legs[l]
	l.proxy.mu.Unlock()
	if isFrozen {
		select {
		case <-l.frozen:
		case <-l.client.Done():
		}
	}
	return n, err
}

// Close implements io.Closer.
func (l *leg) Close() error {
	l.proxy.mu.Lock()
	delete(l.proxy.legs, l)
	l.proxy.mu.Unlock()
	return l.ReadCloser.Close()
}
