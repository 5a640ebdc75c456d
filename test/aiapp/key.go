package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"sync"
)

// withKey reads the key of each request from a file. The file of a mounted Secret changes when the key is rotated.
type withKey struct{ file string }

func (k withKey) RoundTrip(r *http.Request) (*http.Response, error) {
	key, err := os.ReadFile(k.file)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(key)))
	return http.DefaultTransport.RoundTrip(r)
}

// exportErrors keeps what the SDK reports: spans that the server rejected, and exports that failed for good.
type exportErrors struct {
	mu  sync.Mutex
	all []error
}

// Handle implements otel.ErrorHandler.
func (e *exportErrors) Handle(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, err)
}

func (e *exportErrors) err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.all...)
}
