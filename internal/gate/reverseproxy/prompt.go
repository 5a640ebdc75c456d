package reverseproxy

import (
	"io"
	"net/http"
)

// prompt is an answer whose length the app has told: the client gets what there is of it before more is waited for. All
// others httputil.ReverseProxy passes on at once by itself. It could do so with these too, but to flush after each write
// and by a timer costs a quarter of the speed of small ones.
type prompt struct {
	io.ReadCloser
	controller *http.ResponseController
	// isWaiting says that there may be something that the client has not got yet, and that no more was there.
	isWaiting bool
}

// Read is part of io.Reader.
func (p *prompt) Read(b []byte) (int, error) {
	if p.isWaiting {
		_ = p.controller.Flush()
	}
	n, err := p.ReadCloser.Read(b)
	p.isWaiting = n < len(b)
	return n, err
}
