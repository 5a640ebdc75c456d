package reverseproxy

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// requestBody is the client's body on its way to the app. The transport reads it in its own goroutine, which may go on
// after the app has replied.
type requestBody struct {
	io.ReadCloser
	// in is the request as the server received it. Its trailers are complete when the body has ended.
	in *http.Request
	// trailer is the trailer of the request to the app. Only the reader of the body may write to it.
	trailer http.Header
	state   atomic.Int32
}

// States of a body.
const (
	bodyOpen int32 = iota
	bodyEnded
	// bodyBroken: the client disconnected, or sent a malformed body.
	bodyBroken
)

// replace takes the place of the body in a request to the app.
func (b *requestBody) replace(in, out *http.Request) {
	if out.Body == nil {
		b.state.Store(bodyEnded)
		return
	}
	b.ReadCloser, b.in, b.trailer = out.Body, in, http.Header{}
	for name := range out.Trailer {
		if !isForbiddenTrailer(name) {
			b.trailer[name] = nil
		}
	}
	out.Body, out.Trailer = b, b.trailer
}

// Read is part of io.Reader. After the end it no longer reads the server's body: the transport reads once more, and by
// then the server may have closed the body, which would look like a failed request.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.state.Load() == bodyEnded {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.copyTrailers()
		b.state.Store(bodyEnded)
	default:
		b.state.CompareAndSwap(bodyOpen, bodyBroken)
	}
	return n, err
}

// copyTrailers forwards the values of the trailers. httputil.ReverseProxy forwards their names only.
func (b *requestBody) copyTrailers() {
	for name, values := range b.in.Trailer {
		if values != nil && !isForbiddenTrailer(name) {
			b.trailer[name] = values
		}
	}
}
