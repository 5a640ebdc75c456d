package reverseproxy

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"keywright.dev/keywright/internal/gate"
)

// DefaultRecheck is how often a request that stays open is decided on again.
const DefaultRecheck = 5 * time.Second

// Config is what a proxy works with.
type Config struct {
	Gate     *gate.Gate
	Upstream *Upstream
	Log      *slog.Logger
	// Recheck is how often a request that stays open is decided on again. 0: DefaultRecheck.
	Recheck time.Duration
}

// Proxy is an http.Handler. Its server has to hand it the request that it read, not a copy of it, for trailers are told
// there; and OPTIONS * too: http.Server.DisableGeneralOptionsHandler. The server's timeouts are for those who are not
// let in.
type Proxy struct {
	Config
	forward httputil.ReverseProxy
	// isLost says that the app could not be reached when it was last tried.
	isLost atomic.Bool
}

// New makes a proxy. It opens no connection before it is asked to.
func New(c Config) *Proxy {
	if c.Recheck == 0 {
		c.Recheck = DefaultRecheck
	}
	p := &Proxy{Config: c}
	p.forward = httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { passageOf(r.In).rewrite(r) },
		ModifyResponse: p.respond,
		ErrorHandler:   fail,
		Transport:      newTransport(),
		BufferPool:     &buffers{},
		ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return p
}

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, no := p.begin(w, r)
	if no != nil {
		no.write(w)
		return
	}
	t.decision = p.Gate.Decide(&t.asked)
	if refusal := t.decision.Refusal(); refusal != nil {
		refusal.Answer(w)
		return
	}
	t.unbind()
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), passageKey{}, t))
	defer cancel()
	t.watch(cancel)
	defer t.unwatch()
	p.forward.ServeHTTP(w, r.WithContext(ctx))
}

// begin is all that can be said of a request before it is known who sent it.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) (*passage, *answer) {
	target, no := origin(r)
	if no != nil {
		return nil, no
	}
	at, err := p.Upstream.url(target)
	if err != nil || p.Upstream.base != "" && climbs(r.URL.Path) {
		return nil, badTarget
	}
	return &passage{
		Proxy: p, in: r, w: w, controller: *http.NewResponseController(w), at: at,
		asked: gate.Request{
			Method: r.Method, Host: r.Host, Target: target, Header: r.Header, RemoteAddr: r.RemoteAddr,
		},
	}, nil
}
