package traces

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// statusWriter records the status of a reply.
type statusWriter struct {
	http.ResponseWriter
	// status is 0 until the reply begins.
	status int
}

// sent returns the status that the client gets, or 0 if it is not known.
func (w *statusWriter) sent(isComplete bool) int {
	if w.status == 0 && isComplete {
		// net/http completes a reply that its handler did not begin.
		return http.StatusOK
	}
	return w.status
}

// WriteHeader is part of http.ResponseWriter. Other replies than the last one are informational.
func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 && (code >= http.StatusOK || code == http.StatusSwitchingProtocols) {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write is part of http.ResponseWriter.
func (w *statusWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// WriteString is part of io.StringWriter, and spares a copy.
func (w *statusWriter) WriteString(s string) (int, error) {
	w.begin()
	return io.WriteString(w.ResponseWriter, s)
}

func (w *statusWriter) begin() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// Hijack is part of http.Hijacker: httputil.ReverseProxy writes the reply that switches protocols to the connection.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffer, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, buffer, err
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
