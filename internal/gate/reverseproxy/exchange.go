package reverseproxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"keywright.dev/keywright/internal/gate"
)

// exchange is one request to the app and its reply.
type exchange struct {
	*Proxy
	// in is the request as the server received it.
	in         *http.Request
	w          http.ResponseWriter
	controller http.ResponseController
	request    gate.Request
	decision   gate.Decision
	// appURL is the URL that the request is sent to.
	appURL url.URL
	// isSent is true once httputil.ReverseProxy has accepted the request for sending.
	isSent bool
	body   requestBody
	reply  flushingBody
	recheck
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	return r.Context().Value(exchangeKey{}).(*exchange)
}

// clearDeadlines removes the server's timeouts from an admitted request: streams may take any time.
func (x *exchange) clearDeadlines() {
	_ = x.controller.SetReadDeadline(time.Time{})
	_ = x.controller.SetWriteDeadline(time.Time{})
}

// rewrite builds the request to the app. httputil.ReverseProxy has already removed the headers that the client named in
// Connection, so the client cannot have these removed.
func (x *exchange) rewrite(r *httputil.ProxyRequest) {
	x.isSent = true
	r.Out.URL = &x.appURL
	withhold(r.Out.Header, x.decision.Forms)
	setIdentity(r.Out.Header, &x.decision.Caller)
	x.setForwarded(r)
	x.Gate.Tracer.Propagate(r.Out.Context(), r.Out.Header)
	if x.Upstream.isHTTP2 || !isWebSocket(r.In) {
		// Other protocols, such as h2c, could carry more requests past the gate. HTTP/2 has no upgrades.
		r.Out.Header.Del("Connection")
		r.Out.Header.Del("Upgrade")
	}
	x.body.replace(x.in, r.Out)
}

// setForwarded describes the request's origin, which rewrite has removed. A trusted proxy in front knows the client,
// which host the client wanted, and whether over TLS. Any other peer is the client.
func (x *exchange) setForwarded(r *httputil.ProxyRequest) {
	trusts := x.Gate.TrustsProxy(r.In.RemoteAddr)
	if trusts {
		// SetXForwarded appends the peer to the addresses that are there.
		r.Out.Header[gate.ForwardedFor] = r.In.Header[gate.ForwardedFor]
	}
	r.SetXForwarded()
	if address := x.Gate.ClientAddress(r.In); address != "" {
		r.Out.Header[gate.RealIP] = []string{address}
	}
	if trusts {
		keepOrigin(r.Out.Header, r.In.Header)
	}
}

// isWebSocket follows RFC 6455, section 4.1.
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

var errNoStatus = errors.New("the app's reply has a status below 100")

// respond changes the app's reply before any of it is written.
func (p *Proxy) respond(response *http.Response) error {
	x := exchangeOf(response.Request)
	if response.StatusCode < http.StatusContinue {
		// net/http reads such a status and panics on writing it.
		return errNoStatus
	}
	p.logReachable(x.in.Context())
	if cookie := x.decision.SetCookie; cookie != "" {
		response.Header.Add("Set-Cookie", cookie)
	}
	if _, set := response.Header["Content-Type"]; !set {
		// Otherwise net/http would guess one.
		x.w.Header()["Content-Type"] = nil
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	isEarly := x.allowEarlyReply()
	if response.ContentLength > 0 {
		x.reply = flushingBody{ReadCloser: response.Body, controller: &x.controller, isPending: isEarly}
		response.Body = &x.reply
	}
	return nil
}

// allowEarlyReply allows a reply while the client is still sending, and reports whether it is still sending. By
// default net/http would first read the rest of the body, which the app would then never receive. With HTTP/1.1 the
// connection is closed after the reply, because the start of a next request would be uncertain.
func (x *exchange) allowEarlyReply() bool {
	if x.body.state.Load() == bodyEnded || x.controller.EnableFullDuplex() != nil {
		return false
	}
	if x.in.ProtoMajor == 1 {
		x.w.Header().Set("Connection", "close")
	}
	return true
}

func (p *Proxy) logReachable(ctx context.Context) {
	if p.isUnreachable.Load() && p.isUnreachable.CompareAndSwap(true, false) {
		p.Log.InfoContext(ctx, "The app can be reached again")
	}
}

// flushingBody is a reply body of known length. It flushes what it has read so far before it waits for more.
// httputil.ReverseProxy flushes all other replies by itself. For these it could flush after each write and by a timer,
// which would cost a quarter of the speed of small replies.
type flushingBody struct {
	io.ReadCloser
	controller *http.ResponseController
	// isPending is true when data may be unflushed and the last read found no more.
	isPending bool
}

// Read is part of io.Reader.
func (b *flushingBody) Read(p []byte) (int, error) {
	if b.isPending {
		_ = b.controller.Flush()
	}
	n, err := b.ReadCloser.Read(p)
	b.isPending = n < len(p)
	return n, err
}

// recheck repeats the decision on an open request at intervals.
type recheck struct {
	mu     sync.Mutex
	timer  *time.Timer
	isOver bool
	cancel context.CancelFunc
}

func (x *exchange) startRechecks(cancel context.CancelFunc) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.cancel = cancel
	x.timer = time.AfterFunc(x.Recheck, x.recheckNow)
}

// stopRechecks returns once no recheck can touch the connection any more, which may serve another request by then.
func (x *exchange) stopRechecks() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.isOver = true
	x.timer.Stop()
}

func (x *exchange) recheckNow() {
	mayContinue := x.Gate.Recheck(&x.request, &x.decision.Caller)
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.isOver:
	case mayContinue:
		x.timer.Reset(x.Recheck)
	default:
		x.end()
	}
}

// end interrupts the request. The deadlines wake up goroutines that read from or write to the client.
func (x *exchange) end() {
	caller := &x.decision.Caller
	x.Log.Info("Ended an open request: its caller would be refused now", "subject", caller.Subject, "keyID", caller.KeyID)
	x.cancel()
	past := time.Unix(1, 0)
	_ = x.controller.SetReadDeadline(past)
	_ = x.controller.SetWriteDeadline(past)
}
