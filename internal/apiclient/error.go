package apiclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest wait before a request is repeated; the server is asked for no later one.
const maxRetryAfter = time.Minute

// Error is a reply that refuses a request.
type Error struct {
	Status int
	// Detail is the server's sentence.
	Detail string
	// RetryAfter is the server's header of this name, or "".
	RetryAfter string
}

// Error returns the status and the sentence.
func (e *Error) Error() string { return fmt.Sprintf("HTTP %d: %s", e.Status, e.Detail) }

// StatusOf returns the status of a refusal, or 0 for other errors.
func StatusOf(err error) int {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Status
	}
	return 0
}

// retryAfter reports whether the server asks for the request to be repeated, and after how long.
func (e *Error) retryAfter() (wait time.Duration, again bool) {
	if e.Status != http.StatusTooManyRequests && e.Status != http.StatusServiceUnavailable {
		return 0, false
	}
	seconds, err := strconv.Atoi(e.RetryAfter)
	wait = time.Duration(seconds) * time.Second
	return wait, err == nil && seconds >= 0 && wait <= maxRetryAfter
}

// readError reads both forms of errors: {"detail"} under /api, and {"error": {"what"}} under /apiv1.
func readError(r *http.Response, body []byte) *Error {
	var read struct {
		Detail string `json:"detail"`
		Error  struct {
			What string `json:"what"`
		} `json:"error"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	e := &Error{Status: r.StatusCode, RetryAfter: r.Header.Get("Retry-After")}
	if json.Unmarshal(body, &read) == nil {
		e.Detail = read.Error.What
		if e.Detail == "" {
			e.Detail = read.Detail
		}
		if e.Detail == "" && len(read.Errors) > 0 {
			e.Detail = read.Errors[0].Message
		}
	}
	if e.Detail == "" {
		e.Detail = http.StatusText(r.StatusCode)
	}
	return e
}

// ConnectionError is a request without a reply.
type ConnectionError struct {
	// Server is the address that was tried, and After how long.
	Server string
	After  time.Duration
	cause  error
}

// Error says what was tried, for how long, and what went wrong.
func (e *ConnectionError) Error() string {
	return fmt.Sprintf("no reply from %s after %s: %s", e.Server, e.After.Round(10*time.Millisecond), e.problem())
}

// Unwrap returns the cause.
func (e *ConnectionError) Unwrap() error { return e.cause }

// problem leaves out the method and the address, which Error has said.
func (e *ConnectionError) problem() string {
	if errors.Is(e.cause, context.Canceled) {
		return "interrupted"
	}
	var why *url.Error
	if errors.As(e.cause, &why) {
		if why.Timeout() {
			return "timed out"
		}
		return strings.TrimPrefix(why.Err.Error(), "tls: failed to verify certificate: ")
	}
	return e.cause.Error()
}

func (c *Client) lost(err error, after time.Duration) error {
	return &ConnectionError{Server: c.URL.String(), After: after, cause: err}
}
