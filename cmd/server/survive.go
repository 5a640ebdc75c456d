package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
)

// survive answers a panic with 500 and logs where it was: one request must not end all others.
func survive(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w}
		defer func() {
			switch reason := recover(); reason {
			case nil:
			case http.ErrAbortHandler:
				panic(reason)
			default:
				log.Error("A request ended in a panic", "panic", describe(reason), "path", r.URL.Path, "stack", string(debug.Stack()))
				a.fail()
			}
		}()
		next.ServeHTTP(a, r)
	})
}

// describe says what a panic was about. Only the runtime's own words are sure to hold nothing of the request.
func describe(reason any) string {
	if fault, ok := reason.(runtime.Error); ok {
		return fault.Error()
	}
	return fmt.Sprintf("%T", reason)
}

// answer knows whether it has begun.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader is part of http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(status)
}

// Write is part of http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// WriteString is part of io.StringWriter: what is written is not copied for it.
func (a *answer) WriteString(s string) (int, error) {
	a.begun = true
	return io.WriteString(a.ResponseWriter, s)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// fail cuts the connection of an answer that has begun: where it broke off must not look like its end.
func (a *answer) fail() {
	if a.begun {
		panic(http.ErrAbortHandler)
	}
	a.Header().Set("Content-Type", "application/json")
	a.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(a, `{"error":{"code":5000,"what":"internal error"}}`+"\n")
}
