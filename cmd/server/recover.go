package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"

	"keywright.dev/keywright/internal/key/keylog"
)

// recoverPanics replies 500 to a request whose handler panics, and logs the stack.
func recoverPanics(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := &trackedWriter{ResponseWriter: w}
		defer func() {
			switch reason := recover(); reason {
			case nil:
			case http.ErrAbortHandler:
				panic(reason)
			default:
				log.Error("A request panicked", "panic", describe(reason), "path", r.URL.Path, "stack", keylog.StackHere())
				reply.fail()
			}
		}()
		next.ServeHTTP(reply, r)
	})
}

// describe returns the message of a panic only if it is Go's own: any other may repeat the request.
func describe(reason any) string {
	if fault, ok := reason.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("%T", reason)
}

// trackedWriter records whether the reply has begun.
type trackedWriter struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader is part of http.ResponseWriter.
func (w *trackedWriter) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write is part of http.ResponseWriter.
func (w *trackedWriter) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// WriteString is part of io.StringWriter, and spares a copy.
func (w *trackedWriter) WriteString(s string) (int, error) {
	w.begun = true
	return io.WriteString(w.ResponseWriter, s)
}

// Unwrap is for http.ResponseController.
func (w *trackedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// fail cuts the connection if the reply has begun, so that a truncated reply does not look complete.
func (w *trackedWriter) fail() {
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, `{"error":{"code":5000,"what":"internal error"}}`+"\n")
}
