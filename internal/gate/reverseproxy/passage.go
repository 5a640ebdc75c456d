package reverseproxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"keywright.dev/keywright/internal/gate"
)

// passage is one request on its way to the app, and its answer on the way back.
type passage struct {
	*Proxy
	// in is the request as the server has it.
	in         *http.Request
	w          http.ResponseWriter
	controller http.ResponseController
	asked      gate.Request
	decision   gate.Decision
	at         url.URL
	// isSent says that the request was found fit to be sent.
	isSent bool
	body   body
	prompt prompt
	watcher
}

type passageKey struct{}

func passageOf(r *http.Request) *passage {
	return r.Context().Value(passageKey{}).(*passage)
}

// unbind takes the server's timeouts off a request that was let in: streams take as long as they take.
func (t *passage) unbind() {
	_ = t.controller.SetReadDeadline(time.Time{})
	_ = t.controller.SetWriteDeadline(time.Time{})
}

// rewrite makes the request to the app. httputil.ReverseProxy has removed by now what the client named in Connection, so
// nothing that is set here can be.
func (t *passage) rewrite(r *httputil.ProxyRequest) {
	t.isSent = true
	r.Out.URL = &t.at
	withhold(r.Out.Header)
	identify(r.Out.Header, &t.decision.Caller)
	t.tellOrigin(r)
	if !isWebSocket(r.In) {
		// In any other protocol more requests could follow, past the gate: h2c is one.
		r.Out.Header.Del("Connection")
		r.Out.Header.Del("Upgrade")
	}
	t.body.send(t.in, r.Out)
}

// tellOrigin tells where the request came from. Each proxy adds whom it heard from to X-Forwarded-For: an app that
// counts from its end, as many as it trusts, is told the truth, and one that believes its beginning believes the client.
func (t *passage) tellOrigin(r *httputil.ProxyRequest) {
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
	if !t.Gate.TrustsProxy() {
		return
	}
	// The one in front knows what the client wrote there, and whether over TLS.
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if told := r.In.Header[name]; len(told) > 0 {
			r.Out.Header[name] = told
		}
	}
}

// isWebSocket follows RFC 6455, section 4.1.
func isWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ContentLength == 0 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

var errNoStatus = errors.New("the app's answer has a status below 100")

// respond is called with the app's answer before any of it is written.
func (p *Proxy) respond(response *http.Response) error {
	t := passageOf(response.Request)
	if response.StatusCode < http.StatusContinue {
		// net/http reads such a status, but panics when it is to write one.
		return errNoStatus
	}
	p.reached(t.in.Context())
	if cookie := t.decision.SetCookie; cookie != "" {
		response.Header.Add("Set-Cookie", cookie)
	}
	if _, told := response.Header["Content-Type"]; !told {
		// Else net/http would guess one.
		t.w.Header()["Content-Type"] = nil
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	isEarly := t.answerEarly()
	if response.ContentLength > 0 {
		t.prompt = prompt{ReadCloser: response.Body, controller: &t.controller, isWaiting: isEarly}
		response.Body = &t.prompt
	}
	return nil
}

// answerEarly lets the answer out while the client still sends. net/http would read on before it writes, and take for
// itself what the app has yet to get. The connection ends with the answer: where the next request would begin on it is
// not certain any more. It says whether the client still sends.
func (t *passage) answerEarly() bool {
	if t.body.state.Load() == bodyEnded || t.controller.EnableFullDuplex() != nil {
		return false
	}
	t.w.Header().Set("Connection", "close")
	return true
}

func (p *Proxy) reached(ctx context.Context) {
	if p.isLost.Load() && p.isLost.CompareAndSwap(true, false) {
		p.Log.InfoContext(ctx, "The app can be reached again")
	}
}
