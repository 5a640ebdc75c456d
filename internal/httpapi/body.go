package httpapi

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// Bodies reads bodies that may be large and compressed. It bounds each body, as sent and as decompressed, and the bytes
// that all bodies hold at once.
type Bodies struct {
	// Limit and Total are in bytes.
	Limit, Total int64
	held         atomic.Int64
}

// BodyError is why a body is refused. Its text never repeats the body.
type BodyError struct {
	// Status is 400, 413, 415, or 429 if too much is read at once.
	Status int
	Text   string
}

func (e *BodyError) Error() string { return e.Text }

var (
	errBodyEncoding = &BodyError{http.StatusUnsupportedMediaType, "The Content-Encoding must be gzip, or absent"}
	errBodyNotGzip  = &BodyError{http.StatusBadRequest, "The body is not gzip"}
	errBodyCut      = &BodyError{http.StatusBadRequest, "The body can't be read to its end"}
	errBodyBusy     = &BodyError{http.StatusTooManyRequests, "Too much is sent at once: try again soon"}
)

// Read returns the body of a request, decompressed. The body counts as held until release is called. The error is a
// *BodyError.
func (b *Bodies) Read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	content := &heldBody{Bodies: b}
	if err := content.read(w, r); err != nil {
		content.release()
		return nil, nil, err
	}
	return content.buffer.Bytes(), content.release, nil
}

// heldBody is a body that is being read.
type heldBody struct {
	*Bodies
	buffer bytes.Buffer
	size   int64
}

func (h *heldBody) read(w http.ResponseWriter, r *http.Request) error {
	sent := http.MaxBytesReader(w, r.Body, h.Limit)
	switch encodings := r.Header["Content-Encoding"]; {
	case len(encodings) == 0, len(encodings) == 1 && (encodings[0] == "" || strings.EqualFold(encodings[0], "identity")):
		_, err := io.Copy(h, sent)
		return h.reason(err)
	case len(encodings) > 1 || !strings.EqualFold(encodings[0], "gzip"):
		return errBodyEncoding
	}
	unzipped, err := gzip.NewReader(sent)
	if err == nil {
		_, err = io.Copy(h, unzipped) //nolint:gosec // Write stops at the limit
	}
	return h.reason(err)
}

// Write implements io.Writer. It fails as soon as the body, or all bodies together, are too long.
func (h *heldBody) Write(part []byte) (int, error) {
	n := int64(len(part))
	h.size += n
	switch held := h.held.Add(n); {
	case h.size > h.Limit:
		return 0, h.tooLong()
	case held > h.Total:
		return 0, errBodyBusy
	}
	return h.buffer.Write(part)
}

func (h *heldBody) release() {
	h.held.Add(-h.size)
	h.size = 0
}

// reason returns the error for the caller. err may be nil.
func (h *heldBody) reason(err error) error {
	var known *BodyError
	var tooLong *http.MaxBytesError
	var corrupt flate.CorruptInputError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLong):
		return h.tooLong()
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return errBodyNotGzip
	}
	return errBodyCut
}

func (h *heldBody) tooLong() error {
	return &BodyError{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body is longer than %d MiB", h.Limit>>20)}
}
