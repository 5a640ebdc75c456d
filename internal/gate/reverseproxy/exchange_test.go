package reverseproxy

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/gate"
)

// once is a body that the server closes at its end.
type once struct{ io.Reader }

func (o *once) Read(p []byte) (int, error) {
	n, err := o.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		o.Reader = iotest.ErrReader(http.ErrBodyReadAfterClose)
	}
	return n, err
}

func (*once) Close() error { return nil }

// The transport reads once more after the end. A read of a closed body would make a good request look broken.
func TestRequestBody_NotReadAfterEnd(t *testing.T) {
	in := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	b := &requestBody{}
	b.replace(in, &http.Request{Body: &once{iotest.DataErrReader(http.NoBody)}})
	for range 3 {
		if n, err := b.Read(make([]byte, 8)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%d, %v", n, err)
		}
	}
	if b.state.Load() != bodyEnded {
		t.Error("the body did not end")
	}
}

// A recheck may run just as its request ends, when the connection already serves the next one.
func TestRecheck_IgnoresFinishedRequest(t *testing.T) {
	refusing := gate.New(gate.Config{Registry: prometheus.NewRegistry()})
	for _, over := range []bool{false, true} {
		ended := false
		p := &Proxy{Config: Config{Gate: refusing, Log: slog.New(slog.DiscardHandler), Recheck: time.Hour}}
		request := &exchange{Proxy: p, controller: *http.NewResponseController(httptest.NewRecorder())}
		request.startRechecks(func() { ended = true })
		if over {
			request.stopRechecks()
		}
		request.recheckNow()
		request.stopRechecks()
		if ended == over {
			t.Errorf("over: %t, ended: %t", over, ended)
		}
	}
}
