package reverseproxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"

	"keywright.dev/keywright/internal/gate"
)

// body is what the client sends, on its way to the app. The transport reads it in a goroutine of its own, which may go
// on after the app has answered.
type body struct {
	io.ReadCloser
	// in is the request as the server has it, whose trailers are there when the body has ended.
	in *http.Request
	// trailer is that of the request to the app. Only who reads the body may write to it.
	trailer http.Header
	state   atomic.Int32
}

// States of a body.
const (
	bodyOpen int32 = iota
	bodyEnded
	// bodyBroken: the client went away, or what it sent is no body.
	bodyBroken
)

// send puts the body in the place of the one in a request to the app.
func (b *body) send(in, out *http.Request) {
	if out.Body == nil {
		b.state.Store(bodyEnded)
		return
	}
	b.ReadCloser, b.in, b.trailer = out.Body, in, http.Header{}
	for name := range out.Trailer {
		if !isUntrailed(name) {
			b.trailer[name] = nil
		}
	}
	out.Body, out.Trailer = b, b.trailer
}

// Read is part of io.Reader. Once it has ended the server's body is left alone: the transport asks again whether there is
// more, and by then the server may have closed it, which would look like a request that failed.
func (b *body) Read(p []byte) (int, error) {
	if b.state.Load() == bodyEnded {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.pass()
		b.state.Store(bodyEnded)
	default:
		b.state.CompareAndSwap(bodyOpen, bodyBroken)
	}
	return n, err
}

// pass hands on the trailers. httputil.ReverseProxy hands on but their names.
func (b *body) pass() {
	for name, values := range b.in.Trailer {
		if values != nil && !isUntrailed(name) {
			b.trailer[name] = values
		}
	}
}

func isUntrailed(name string) bool { return isWithheld(name) || untrailed[gate.CGIHeaderName(name)] }
