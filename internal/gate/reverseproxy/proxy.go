package reverseproxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/gate"
)

// DefaultRecheck is the default of Config.Recheck.
const DefaultRecheck = 5 * time.Second

// Config is what a proxy needs.
type Config struct {
	Gate     *gate.Gate
	Upstream *Upstream
	Log      *slog.Logger
	// Recheck is the interval at which an open request is decided on again. 0: DefaultRecheck.
	Recheck time.Duration
}

// Proxy is an http.Handler. Its server must pass on the original *http.Request and not a copy, because trailers
// arrive in the original, and must pass on OPTIONS * as well: http.Server.DisableGeneralOptionsHandler. The
// server's timeouts apply until a request is admitted. It speaks Protocols.
type Proxy struct {
	Config
	forward httputil.ReverseProxy
	// isUnreachable is true if the last attempt to reach the app failed.
	isUnreachable atomic.Bool
}

// Protocols returns those of the server of a proxy. HTTP/2 without TLS needs prior knowledge: no client can switch to
// it.
func Protocols() *http.Protocols {
	all := new(http.Protocols)
	all.SetHTTP1(true)
	all.SetHTTP2(true)
	all.SetUnencryptedHTTP2(true)
	return all
}

// New returns a proxy. It opens no connection until the first request.
func New(c Config) *Proxy {
	if c.Recheck == 0 {
		c.Recheck = DefaultRecheck
	}
	p := &Proxy{Config: c}
	p.forward = httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { exchangeOf(r.In).rewrite(r) },
		ModifyResponse: p.respond,
		ErrorHandler:   replyToFailure,
		Transport:      c.Upstream.newTransport(),
		BufferPool:     &buffers{},
		ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP serves one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.Gate.Tracer.Serve(w, r, gate.ReverseProxy.String(), func(ctx context.Context, w http.ResponseWriter) {
		p.serve(ctx, w, r)
	})
}

// serve takes the original request: ctx is its context, with the span.
func (p *Proxy) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	x, refusal := p.begin(w, r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	x.decision = p.Gate.Decide(&x.request)
	p.Gate.Trace(ctx, &x.decision)
	if refusal := x.decision.Refusal(); refusal != nil {
		refusal.Answer(w)
		return
	}
	x.clearDeadlines()
	ctx, cancel := context.WithCancel(context.WithValue(ctx, exchangeKey{}, x))
	defer cancel()
	x.startRechecks(cancel)
	defer x.stopRechecks()
	p.forward.ServeHTTP(w, r.WithContext(ctx))
}

// begin checks what does not depend on the caller.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) (*exchange, *reply) {
	target, refusal := originForm(r)
	if refusal != nil {
		return nil, refusal
	}
	appURL, err := p.Upstream.url(target)
	if err != nil || p.Upstream.base != "" && climbs(r.URL.Path) {
		return nil, badTarget
	}
	return &exchange{
		Proxy: p, in: r, w: w, controller: *http.NewResponseController(w), appURL: appURL,
		request: gate.Request{
			Surface: gate.ReverseProxy, Method: r.Method, Host: r.Host, Target: target, Header: r.Header,
			RemoteAddr: r.RemoteAddr,
		},
	}, nil
}

// buffers is a pool of the buffers that replies are copied through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get is part of httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, bufferSize)
}

// Put is part of httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put((*[bufferSize]byte)(buffer)) }
